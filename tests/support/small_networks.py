"""Networks that are small enough to convert in a blink, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDES = (1, 3, 8, 12)

# A network of two inputs' worth of work: a convolution, a clip and a resize.
MODULE = '''
import torch
from torch import nn
from torch.nn import functional as F

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, image):
        return torch.sigmoid(self.head(F.relu6(self.body(image))))

class Picky(Small):
    """Its result has as many numbers as pixels are bright."""
    def forward(self, image):
        made = super().forward(image)
        return made[made > 0.5]

def build():
    torch.manual_seed(0)
    return Small()

def build_picky():
    torch.manual_seed(0)
    return Picky()
'''


def onnx_model(
    shape: Sequence[int | str] = SIDES,
    *,
    nodes: Sequence[onnx.NodeProto] | None = None,
    weights: Sequence[onnx.TensorProto] = (),
    kind: int = TensorProto.FLOAT,
    out: str = "y",
    rank: int = 4,
    into: str = "x",
    opsets: Sequence[tuple[str, int]] = (("", 13),),
) -> onnx.ModelProto:
    """By default `y = clip(conv(x), 0, 6)`."""
    if nodes is None:
        nodes = [
            helper.make_node("Conv", [into, "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
            helper.make_node("Clip", ["c", "low", "high"], [out], "clip"),
        ]
        kernel = np.random.default_rng(0).standard_normal((2, 3, 3, 3)).astype(np.float32)
        weights = [
            numpy_helper.from_array(kernel, "w"),
            numpy_helper.from_array(np.array(0, np.float32), "low"),
            numpy_helper.from_array(np.array(6, np.float32), "high"),
        ]
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info(into, kind, list(shape))],
        [helper.make_tensor_value_info(out, kind, [None] * rank)],
        list(weights),
    )
    return helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid(*one) for one in opsets]
    )


def write_onnx(path: Path, model: onnx.ModelProto | None = None) -> Path:
    """A file of it."""
    path.write_bytes((model or onnx_model()).SerializeToString())
    return path


def write_module(path: Path) -> Path:
    """A Python file with factories `build` and `build_picky`."""
    path.write_text(MODULE, encoding="utf-8")
    return path
