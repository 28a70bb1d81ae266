"""An untrained matting network of MODNet's size and cost: 6.5 million parameters at 512x512.

It has MODNet's three parts (a MobileNetV2 that understands the picture, a branch at high
resolution for its details, and their fusion) with the channels that its paper and checkpoints
have, because no trained weights come from a package index. What it says means nothing; what
it costs does.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clips import BUILD
from npukit.preprocess import Preprocess
from npukit.runtime.build import SimulatorBuild, write_build
from npukit.runtime.declaration import InputSpec

if TYPE_CHECKING:
    from torch import nn

SIDE = 512
_SEED = 22
_PREPROCESS = {
    "source": "nv21", "matrix": "bt601", "range": "limited", "geometry": "full",
    "resize": "linear", "to": "rgb", "mean": [127.5] * 3, "scale": [1 / 127.5] * 3,
}  # fmt: skip


def build(folder: Path = BUILD, side: int = SIDE) -> Path:
    """A simulator build of the network; made when there is none, the same each time.

    Args:
        folder: where it lies.
        side: of its square input, a multiple of 32.
    """
    path = folder / f"heavy_{side}.sim"
    if not path.exists() or path.stat().st_mtime < Path(__file__).stat().st_mtime:
        from npukit_convert.torch_to_onnx import export

        spec = InputSpec((1, 3, side, side), Preprocess.from_dict(_PREPROCESS, "heavy"))
        with warnings.catch_warnings():
            # The exporter is uneasy about instance norm, which has no mode of evaluation: it
            # takes each picture's own statistics, as it should.
            warnings.simplefilter("ignore")
            onnx, _ = export(network(), {"image": spec.shape}, ["alpha"])
        folder.mkdir(parents=True, exist_ok=True)
        write_build(str(path), SimulatorBuild("heavy", {"image": spec}, ("alpha",), onnx))
    return path


def network() -> nn.Module:
    """The module: (1, 3, h, w) float32 RGB -1..1 to (1, 1, h, w) alpha; h and w by 32."""
    import torch

    from benchmarks.heavy_net import Matting

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return Matting()
