"""What one case of the operator catalogue is, and how it becomes an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.parser
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A small network.

    Attributes:
        title: for people, such as "Resize linear half_pixel x2".
        inputs: name to shape.
        body: the nodes in ONNX's text form.
        layers: the expected Caffe layer types in order; empty where it is refused.
        refused: part of the reason, where plain Caffe cannot have it.
        omg: part of the reason, where Ascend's compiler cannot have it.
        constants: name to numbers; floats become float32.
        outputs: names.
        opset: of the model.
        positive: whether its inputs must be above 0.
        tolerance: relative to the largest number of the output.
        opencv: why OpenCV cannot execute it.
    """

    title: str
    inputs: Mapping[str, Sequence[int]]
    body: str
    layers: Sequence[str] = ()
    refused: str = ""
    omg: str = ""
    constants: Mapping[str, ArrayLike] = field(default_factory=dict)
    outputs: Sequence[str] = ("y",)
    opset: int = 17
    positive: bool = False
    tolerance: float = 1e-4
    opencv: str = ""

    def model(self) -> bytes:
        """The ONNX bytes."""
        given = ", ".join(f"float[{','.join(map(str, s))}] {n}" for n, s in self.inputs.items())
        text = f"network ({given}) => ({', '.join(self.outputs)}) {{ {self.body} }}"
        graph = onnx.parser.parse_graph(text)
        for name, numbers in self.constants.items():
            graph.initializer.append(onnx.numpy_helper.from_array(typed(numbers), name))
        for count, node in enumerate(graph.node):
            node.name = node.name or f"{node.op_type}_{count}"
        opset = onnx.helper.make_opsetid("", self.opset)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
        return data

    def feeds(self) -> list[dict[str, Array]]:
        """Inputs that hide no mistake: small, large, and nearly constant."""
        rng = np.random.default_rng(7)
        made = []
        for scale, shift in ((0.02, 0.0), (30.0, 0.0), (0.01, 5.0)):
            one = {}
            for name, size in self.inputs.items():
                values = rng.standard_normal(size) * scale + shift
                one[name] = (np.abs(values) + 0.1 if self.positive else values).astype(np.float32)
            made.append(one)
        return made


def typed(numbers: ArrayLike) -> NDArray[np.generic]:
    """An array of float32 or int64."""
    array = np.asarray(numbers)
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)


def noise(*size: int, low: float = 0.2, high: float = 1.5, seed: int = 3) -> Array:
    """Repeatable numbers of both signs, none near 0."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(low, high, size) * rng.choice([-1, 1], size)).astype(np.float32)
