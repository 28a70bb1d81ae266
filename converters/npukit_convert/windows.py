"""The geometry of sliding windows: convolutions and pooling, one axis at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, attribute, shape


@dataclass(frozen=True)
class Axis:
    """A window along one spatial axis.

    Attributes:
        size, out: numbers of pixels read and written.
        kernel, stride, dilation: in pixels.
        begin, end: padding; an automatic padding has become numbers.
    """

    size: int
    out: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    begin: int = 0
    end: int = 0

    @property
    def span(self) -> int:
        """Pixels from a window's first to its last."""
        return (self.kernel - 1) * self.dilation + 1


def axes(node: ir.Node, kernel: tuple[int, ...]) -> list[Axis] | None:
    """The windows of a Conv, MaxPool or AveragePool; None without static shapes."""
    size, out = shape(node.inputs[0]), shape(node.outputs[0])
    if size is None or out is None or len(size) != len(kernel) + 2:
        return None
    count = len(kernel)
    strides = attribute(node, "strides", (1,) * count)
    dilations = attribute(node, "dilations", (1,) * count)
    pads = attribute(node, "pads", (0,) * 2 * count)
    automatic = attribute(node, "auto_pad", "NOTSET")
    found = []
    for i in range(count):
        axis = Axis(size[i + 2], out[i + 2], kernel[i], strides[i], dilations[i])
        begin, end = (pads[i], pads[i + count]) if automatic == "NOTSET" else (0, 0)
        if automatic.startswith("SAME"):
            begin, end = _same(axis, lower=automatic == "SAME_LOWER")
        found.append(replace(axis, begin=begin, end=end))
    return found


def transposed_axes(node: ir.Node, kernel: tuple[int, ...]) -> list[Axis] | None:
    """The windows of a ConvTranspose: `end` is without `output_padding`, so may be negative."""
    size, out = shape(node.inputs[0]), shape(node.outputs[0])
    if size is None or out is None or len(size) != len(kernel) + 2:
        return None
    count = len(kernel)
    strides = attribute(node, "strides", (1,) * count)
    dilations = attribute(node, "dilations", (1,) * count)
    pads = attribute(node, "pads", (0,) * 2 * count)
    extra = attribute(node, "output_padding", (0,) * count)
    automatic = attribute(node, "auto_pad", "NOTSET")
    resolved = automatic != "NOTSET" or "output_shape" in node.attributes
    found = []
    for i in range(count):
        axis = Axis(size[i + 2], out[i + 2], kernel[i], strides[i], dilations[i])
        full = (axis.size - 1) * axis.stride + axis.span
        begin = pads[i]
        if resolved:  # the padding follows from the size of the output
            total = max(full + extra[i] - axis.out, 0)
            begin = total // 2 if automatic == "SAME_UPPER" else total - total // 2
        end = full - begin - axis.out
        found.append(replace(axis, begin=begin, end=end))
    return found


def zero_extend(weights: Array, axis: int, front: int, back: int) -> Array:
    """Zeros before and after a kernel along one of its axes."""
    widths = [(0, 0)] * weights.ndim
    widths[axis] = (front, back)
    return np.pad(weights, widths)


def zero_stuff(weights: Array, axis: int, dilation: int) -> Array:
    """The kernel of dilation 1 that does what this one does with its dilation."""
    size = list(weights.shape)
    size[axis] = (size[axis] - 1) * dilation + 1
    stuffed = np.zeros(size, weights.dtype)
    places = [slice(None)] * weights.ndim
    places[axis] = slice(None, None, dilation)
    stuffed[tuple(places)] = weights
    return stuffed


def _same(axis: Axis, lower: bool) -> tuple[int, int]:
    out = -(-axis.size // axis.stride)
    total = max((out - 1) * axis.stride + axis.span - axis.size, 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def symmetric_conv(weights: Array, place: int, axis: Axis) -> tuple[Array, Axis]:
    """The same convolution with the same padding at both ends of an axis.

    Args:
        weights: of the node.
        place: the axis in the weights.
        axis: what the node says of it.

    Returns:
        Weights, longer by zeros where they have to be, and the axis.
    """
    if (axis.size + 2 * axis.begin - axis.span) // axis.stride + 1 == axis.out:
        return weights, replace(axis, end=axis.begin)  # the stride passes over the difference
    if (axis.end - axis.begin) % axis.dilation:
        weights, axis = _undilated(weights, place, axis)
    front, back = max(axis.end - axis.begin, 0), max(axis.begin - axis.end, 0)
    weights = zero_extend(weights, place, front // axis.dilation, back // axis.dilation)
    pad = max(axis.begin, axis.end)
    return weights, replace(axis, kernel=weights.shape[place], begin=pad, end=pad)


def symmetric_transposed(weights: Array, place: int, axis: Axis) -> tuple[Array, Axis]:
    """The same transposed convolution with the same crop at both ends of an axis.

    Without dilation, which OpenCV passes over, and with no more padding than the kernel's size
    less one, which Ascend's compiler asks for.

    Args:
        weights: of the node.
        place: the axis in the weights.
        axis: what the node says of it.

    Returns:
        Weights, longer by zeros where they have to be, and the axis.
    """
    weights, axis = _undilated(weights, place, axis)
    more, pad = axis.end - axis.begin, max(axis.begin, axis.end)
    front, back = max(more, 0), max(-more, 0)
    # A zero at both ends adds one to the padding and two to the kernel.
    both = max(0, pad + 1 - (axis.kernel + front + back))
    weights = zero_extend(weights, place, front + both, back + both)
    pad += both
    return weights, replace(axis, kernel=weights.shape[place], begin=pad, end=pad)


def _undilated(weights: Array, place: int, axis: Axis) -> tuple[Array, Axis]:
    if axis.dilation == 1:
        return weights, axis
    weights = zero_stuff(weights, place, axis.dilation)
    return weights, replace(axis, kernel=weights.shape[place], dilation=1)
