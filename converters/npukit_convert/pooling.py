"""Which pooling Caffe can say: its sizes, its padding, and what its averages divide by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from npukit.arrays import F64
from npukit_convert.graph import attribute
from npukit_convert.windows import Axis, axes


def windows(node: ir.Node) -> list[Axis] | None:
    """The windows of a MaxPool or AveragePool; None without static shapes."""
    return axes(node, tuple(attribute(node, "kernel_shape", ())))


def rounding(node: ir.Node, found: Sequence[Axis]) -> str | None:
    """How Caffe rounds the size of this node's result.

    Returns:
        `CEIL`, which is Caffe's usual way, or `FLOOR` where only that is right; None where
        Caffe's one padding for both ends and one rounding for both axes give another result.
    """
    if any(axis.begin >= axis.kernel or axis.dilation > 1 for axis in found):
        return None
    for mode in ("CEIL", "FLOOR"):
        if all(_size(axis, mode) == axis.out for axis in found) and (
            node.op_type == "MaxPool"
            or all(np.array_equal(divisors(node, axis), _divisors(axis)) for axis in found)
        ):
            return mode
    return None


def divisors(node: ir.Node, axis: Axis) -> F64:
    """What the average at each place is divided by, along one axis."""
    if attribute(node, "count_include_pad", 0):
        return _widths(axis, -axis.begin, axis.size + axis.end)
    return _widths(axis, 0, axis.size)


def _divisors(axis: Axis) -> F64:
    """The same in Caffe."""
    return _widths(axis, -axis.begin, axis.size + axis.begin)


def _widths(axis: Axis, low: int, high: int) -> F64:
    """How much of each window lies in [low, high)."""
    start = np.arange(axis.out) * axis.stride - axis.begin
    widths = np.minimum(start + axis.kernel, high) - np.maximum(start, low)
    return np.asarray(widths, np.float64)


def _size(axis: Axis, mode: str) -> int:
    room = axis.size + 2 * axis.begin - axis.kernel
    size = (-(-room // axis.stride) if mode == "CEIL" else room // axis.stride) + 1
    if axis.begin and (size - 1) * axis.stride >= axis.size + axis.begin:
        size -= 1  # a window must start before the padding at the end
    return size
