"""Moves between channels and pixels, as convolutions that copy."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, operand, shape
from npukit_convert.passes.base import CAFFE, Pass, Stage


class LowerDepthSpace(Pass):
    """DepthToSpace, SpaceToDepth, and Reshape - Transpose - Reshape that does as they do.

    Exporters write PixelShuffle, PixelUnshuffle and channel shuffles as transposes in five or
    six dimensions. What such a chain does is found by sending the numbers of the pixels through
    it, so the order of its axes does not matter.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "pixel and channel shuffles as (transposed) Conv with weights 0 and 1"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            moved = _MOVES[node.op_type](node) if node.op_type in _MOVES else None
            if moved is not None and _copied(node, *moved):
                changes.append(f"{node.name}: {node.op_type} as a convolution")
        return changes


def _depth_to_space(node: ir.Node) -> tuple[ir.Value | None, Array] | None:
    size, block = shape(node.inputs[0]), attribute(node, "blocksize", 1)
    if size is None:
        return None
    count, channels, height, width = size
    inner = channels // block**2
    if attribute(node, "mode", "DCR") == "DCR":
        parts, order = (count, block, block, inner, height, width), (0, 3, 4, 1, 5, 2)
    else:
        parts, order = (count, inner, block, block, height, width), (0, 1, 4, 2, 5, 3)
    moved = _numbers(size).reshape(parts).transpose(order)
    return node.inputs[0], moved.reshape(count, inner, height * block, width * block)


def _space_to_depth(node: ir.Node) -> tuple[ir.Value | None, Array] | None:
    size, block = shape(node.inputs[0]), attribute(node, "blocksize", 1)
    if size is None:
        return None
    count, channels, height, width = size
    height, width = height // block, width // block
    parts = _numbers(size).reshape(count, channels, height, block, width, block)
    moved = parts.transpose(0, 3, 5, 1, 2, 4)
    return node.inputs[0], moved.reshape(count, channels * block**2, height, width)


def _chain(node: ir.Node) -> tuple[ir.Value | None, Array] | None:
    """The last Reshape of a Reshape - Transpose - Reshape."""
    transpose = _only_producer(node, "Transpose")
    first = None if transpose is None else _only_producer(transpose, "Reshape")
    if transpose is None or first is None:
        return None
    size, inner = shape(first.inputs[0]), shape(first.outputs[0])
    result = shape(node.outputs[0])
    if size is None or inner is None or result is None or len(size) != 4 or len(result) != 4:
        return None
    if len(inner) <= 4:
        return None
    order = attribute(transpose, "perm", tuple(range(len(inner)))[::-1])
    moved = _numbers(size).reshape(inner).transpose(order).reshape(result)
    return first.inputs[0], moved


_Place = tuple[int, int, int]  # channel, row, column
_MOVES = {"DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth, "Reshape": _chain}


def _only_producer(node: ir.Node, operator: str) -> ir.Node | None:
    value = operand(node, 0)
    producer = None if value is None else value.producer()
    return producer if producer is not None and producer.op_type == operator else None


def _numbers(size: tuple[int, ...]) -> Array:
    return np.arange(np.prod(size)).reshape(size)


def _copied(node: ir.Node, x: ir.Value | None, moved: Array) -> bool:
    """The move as one convolution that copies, if it is one."""
    size = shape(x)
    if size is None or moved.shape[0] != size[0]:
        return False
    numbers, rewriter = _numbers(size), Rewriter(node)
    for operator, whole, parts in (
        ("Conv", numbers, moved),  # each result gathers a block of pixels
        ("ConvTranspose", moved, numbers),  # the same, backwards
    ):
        block = _block(whole, parts)
        if block is None:
            continue
        source = _sources(whole, parts, block)
        if source is None:
            continue
        weights = rewriter.constant(_one_hot(source, whole.shape[1], block))
        rewriter.replace(rewriter.add(operator, [x, weights], strides=block))
        return True
    return False


def _block(whole: Array, parts: Array) -> tuple[int, int] | None:
    (height, width), (rows, columns) = whole.shape[2:], parts.shape[2:]
    if height % rows or width % columns:
        return None
    return height // rows, width // columns


def _sources(whole: Array, parts: Array, block: tuple[int, int]) -> list[_Place] | None:
    """For each channel of the parts, the channel and the place in a block that it is made of."""
    places = np.argsort(whole, axis=None)  # of number n in the whole
    found = []
    for channel in range(parts.shape[1]):
        at = np.unravel_index(places[parts[0, channel, 0, 0]], whole.shape)
        _, source, row, column = (int(i) for i in at)
        if row >= block[0] or column >= block[1]:
            return None
        strided = whole[:, source, row :: block[0], column :: block[1]]
        if not np.array_equal(strided, parts[:, channel]):
            return None
        found.append((source, row, column))
    return found


def _one_hot(sources: list[_Place], channels: int, block: tuple[int, int]) -> Array:
    weights = np.zeros((len(sources), channels, *block), np.float32)
    for channel, (source, row, column) in enumerate(sources):
        weights[channel, source, row, column] = 1
    return weights
