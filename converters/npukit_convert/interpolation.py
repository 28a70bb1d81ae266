"""What an ONNX Resize does along one axis: the matrix, and the convolution that equals it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from npukit.arrays import F32

_TOLERANCE = 5e-4  # of a weight: ORT's coordinates are float32, 1e-4 off at 1000 pixels
_VIRTUAL = 9  # pixels of an axis whose middle one no edge touches
_EDGES = (0, 1, 2)  # repeated pixels that are tried; a cubic filter reads two


@dataclass(frozen=True)
class Filter:
    """A resize along one axis as a convolution, transposed where it enlarges.

    Attributes:
        enlarges: whether it is transposed.
        stride: in pixels.
        weights: one each for pixels of the result (enlarging) or of the input.
        edge: how often the first and the last pixel are repeated before it.
        begin, end: padding; what a transposed convolution crops.
    """

    enlarges: bool
    stride: int
    weights: tuple[float, ...]
    edge: int = 0
    begin: int = 0
    end: int = 0

    @property
    def copies(self) -> bool:
        """Whether it changes nothing."""
        return self.stride == 1 and self.weights == (1.0,)


@dataclass(frozen=True)
class Axis:
    """A Resize along one axis.

    Attributes:
        size, out: pixels before and after.
        scale: as the node gives it; None where it gives the size.
        attributes: of the node, without those that choose axes.
        opset: of the model.
    """

    size: int
    out: int
    scale: float | None
    attributes: tuple[tuple[str, str | int | float], ...]
    opset: int

    def matrix(self, times: int = 1) -> F32:
        """(out, size) weights; `times` makes the axis that much longer at the same scale."""
        return _executed(self, times)

    def filter(self) -> Filter | None:
        """The convolution that equals it; None where there is none."""
        if self.size == 1:
            return Filter(True, 1, tuple(self.matrix()[:, 0].tolist()))
        found = None
        if self.out % self.size == 0:
            found = _enlarging(self, self.out // self.size)
        elif self.size % self.out == 0:
            found = _reducing(self, self.size // self.out)
        return found


@lru_cache(maxsize=64)
def _executed(axis: Axis, times: int) -> F32:
    """By ONNX Runtime itself, on the unit vectors: a resize is linear along each axis."""
    size, out = axis.size * times, axis.out * times
    if axis.scale is None:
        how = helper.make_tensor("how", TensorProto.INT64, [4], [size, 1, out, 1])
        inputs = ["x", "", "", "how"]
    else:
        how = helper.make_tensor("how", TensorProto.FLOAT, [4], [1, 1, axis.scale, 1])
        inputs = ["x", "", "how"]
    node = helper.make_node("Resize", inputs, ["y"])
    node.attribute.extend(helper.make_attribute(*one) for one in axis.attributes)
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size, 1, size, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [how],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", axis.opset)], ir_version=8
    )
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    unit = np.eye(size, dtype=np.float32).reshape(size, 1, size, 1)
    result: F32 = session.run(None, {"x": unit})[0][:, 0, :, 0].T
    return np.ascontiguousarray(result)


def _enlarging(axis: Axis, stride: int) -> Filter | None:
    times = -(-_VIRTUAL // axis.size)
    pixel = axis.size * times // 2
    start, weights = _support(axis.matrix(times)[:, pixel])
    low, high = start - stride * pixel, start - stride * pixel + len(weights) - 1
    for edge in _EDGES:
        begin, end = stride * edge - low, stride * (edge - 1) + high + 1
        made = Filter(True, stride, weights, edge, begin, end)
        if min(begin, end) >= 0 and _equals(axis, made):
            return made
    return None


def _reducing(axis: Axis, stride: int) -> Filter | None:
    times = -(-_VIRTUAL // axis.out)
    pixel = axis.out * times // 2
    start, weights = _support(axis.matrix(times)[pixel])
    low = start - stride * pixel
    for edge in _EDGES:
        if low + edge < 0:
            continue
        made = Filter(False, stride, (0.0,) * (low + edge) + weights, edge)
        if _equals(axis, made):
            return made
    return None


def _support(weights: F32) -> tuple[int, tuple[float, ...]]:
    """The first weight that is not 0, and all up to the last such."""
    places = np.flatnonzero(np.abs(weights) > 1e-6)
    if not len(places):
        return 0, (0.0,)
    first, last = int(places[0]), int(places[-1])
    return first, tuple(weights[first : last + 1].tolist())


def _equals(axis: Axis, how: Filter) -> bool:
    """Whether a convolution after repeating the edges does what the axis does."""
    made = (_transposed if how.enlarges else _strided)(how, axis.size + 2 * how.edge)
    if made.shape[0] != axis.out:
        return False
    folded = np.zeros((axis.out, axis.size), np.float32)
    source = np.clip(np.arange(axis.size + 2 * how.edge) - how.edge, 0, axis.size - 1)
    np.add.at(folded.T, source, made.T)
    return bool(np.abs(folded - axis.matrix()).max() < _TOLERANCE)


def _transposed(how: Filter, size: int) -> F32:
    length = len(how.weights)
    full = np.zeros((how.stride * (size - 1) + length, size), np.float32)
    for pixel in range(size):
        full[how.stride * pixel : how.stride * pixel + length, pixel] = how.weights
    return full[how.begin : len(full) - how.end]


def _strided(how: Filter, size: int) -> F32:
    length = len(how.weights)
    out = max((size - length) // how.stride + 1, 0)
    made = np.zeros((out, size), np.float32)
    for pixel in range(out):
        made[pixel, how.stride * pixel : how.stride * pixel + length] = how.weights
    return made
