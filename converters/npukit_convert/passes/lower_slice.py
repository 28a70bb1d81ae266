"""Slices in Split, where they cover everything, or in convolutions that pick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import (
    Rewriter,
    attribute,
    constant,
    operand,
    shape,
    source,
)
from npukit_convert.passes._spatial import channel_matrix, in_four
from npukit_convert.passes.base import CAFFE, Pass, Stage

_KERNEL = 255  # the largest that Ascend's compiler takes
Size = tuple[int, ...]


@dataclass(frozen=True)
class _Part:
    """What a slice takes along one axis: `count` places from `start`, `step` apart."""

    axis: int
    start: int
    step: int
    count: int


class LowerSlice(Pass):
    """In Caffe the unused part of a Slice would be a network output.

    Slices that together are the whole become one Split. Any other takes its channels by a 1x1
    convolution, its rows and columns by a depthwise one, with a single 1 in each filter: exact.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "slices as Split, or as convolutions that pick"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = [change for value in _sliced(model.graph) if (change := _merge(value))]
        for node in list(model.graph):
            how = _LOWER.get(node.op_type)
            if how is not None and constant(node.inputs[0]) is None and how(node):
                changes.append(f"{node.name}: {node.op_type} as a convolution that picks")
        return changes


def _sliced(graph: ir.Graph) -> list[ir.Value]:
    """What several slices are taken of."""
    found = dict.fromkeys(
        value for node in graph if node.op_type == "Slice" and (value := node.inputs[0]) is not None
    )
    return [value for value in found if len(value.uses()) > 1 and constant(value) is None]


def _merge(value: ir.Value) -> str:
    """One Split for the slices of a value that are the whole of it, each place once."""
    size = shape(value)
    slices = [
        (parts[0], use.node)
        for use in value.uses()
        if use.node.op_type == "Slice" and len(parts := _parts(use.node)) == 1
    ]
    if size is None:
        return ""
    slices.sort(key=lambda pair: (pair[0].axis, pair[0].start))
    for axis, group in groupby(slices, key=lambda pair: pair[0].axis):
        chosen = list(group)
        ends = [0, *(part.start + part.count for part, _ in chosen)]
        whole = ends[-1] == size[axis] and all(
            part.start == end and part.step == 1
            for (part, _), end in zip(chosen, ends, strict=False)
        )
        if whole and len(chosen) > 1:
            return _split(value, axis, chosen)
    return ""


def _split(value: ir.Value, axis: int, slices: Sequence[tuple[_Part, ir.Node]]) -> str:
    nodes = [node for _, node in slices]
    graph = nodes[0].graph
    first = next(node for node in graph or () if node in nodes)
    sizes = np.array([part.count for part, _ in slices], np.int64)
    rewriter = Rewriter(first)
    inputs = [value, rewriter.constant(sizes)]
    split = rewriter.add("Split", inputs, outputs=len(nodes), axis=axis).producer()
    if split is None:
        raise TypeError("a new node makes its outputs")
    for node, output in zip(nodes, split.outputs, strict=True):
        Rewriter(node).replace(output)
    return f"{', '.join(str(node.name) for node in nodes)}: one Split for {len(nodes)} slices"


def _slice(node: ir.Node) -> bool:
    size, parts = shape(node.inputs[0]), _parts(node)
    if size is None or not parts:
        return False
    rewriter = Rewriter(node)
    picked = _picked(rewriter, source(node), size, parts)
    if picked is None:
        return False
    rewriter.replace(picked)
    return True


def _unused_split(node: ir.Node) -> bool:
    """A Split of which a part is not used: a convolution for each part that is."""
    used = [output for output in node.outputs if output.uses() or output.is_graph_output()]
    size = shape(node.inputs[0])
    if size is None or len(used) == len(node.outputs):
        return False
    axis = int(attribute(node, "axis", 0)) % len(size)
    start, done = 0, []
    rewriter = Rewriter(node)
    for index, output in enumerate(node.outputs):
        count = (shape(output) or size)[axis]
        if output in used:
            part = _Part(axis, start, 1, count)
            picked = _picked(rewriter, source(node), size, [part])
            if picked is None:
                return False
            done.append((picked, index))
        start += count
    for picked, index in done:
        rewriter.replace(picked, index)
    return True


def _gather(node: ir.Node) -> bool:
    """Constant indices of channels: any of them, in any order."""
    size, indices = shape(node.inputs[0]), constant(operand(node, 1))
    if size is None or indices is None or indices.ndim > 1 or len(size) < 2:
        return False
    if int(attribute(node, "axis", 0)) % len(size) != 1:
        return False
    wanted = shape(node.outputs[0])
    rewriter = Rewriter(node)
    matrix = np.eye(size[1])[indices.reshape(-1)]
    value = _as_four(rewriter, source(node), size)
    value = channel_matrix(rewriter, value, matrix)
    picked = (size[0], len(matrix), *size[2:])
    if wanted != in_four(picked):
        value = rewriter.reshape(value, wanted or picked)
    rewriter.replace(value)
    return True


def _parts(node: ir.Node) -> list[_Part]:
    """What a slice leaves out, axis by axis; nothing when it depends on data or is the whole."""
    size = shape(node.inputs[0])
    starts, ends = (constant(operand(node, index)) for index in (1, 2))
    if size is None or starts is None or ends is None:
        return []
    axes = constant(operand(node, 3))
    steps = constant(operand(node, 4))
    if operand(node, 3) is not None and axes is None:
        return []
    numbers = range(len(starts)) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    parts = []
    for axis, start, end, step in zip(numbers, starts, ends, strides, strict=True):
        taken = range(size[axis])[int(start) : int(end) : int(step)]
        if taken != range(size[axis]):
            parts.append(_Part(axis % len(size), taken.start, taken.step, len(taken)))
    return parts


def _picked(
    rewriter: Rewriter, value: ir.Value, size: Size, parts: Sequence[_Part]
) -> ir.Value | None:
    if len(size) not in (2, 3, 4):
        return None
    if any(part.axis == 0 or (part.axis > 1 and part.step < 0) for part in parts):
        return None
    new = list(size)
    for part in parts:
        new[part.axis] = part.count
    if 0 in new:
        return None
    value = _as_four(rewriter, value, size)
    for part in parts:
        if part.axis == 1:
            chosen = range(part.start, part.start + part.count * part.step, part.step)
            value = channel_matrix(rewriter, value, np.eye(size[1])[list(chosen)])
    crop = {part.axis: part for part in parts if part.axis > 1}
    if crop:
        value = _cropped(rewriter, value, new[1], in_four(size)[2:], [crop.get(2), crop.get(3)])
    return value if len(size) == 4 else rewriter.reshape(value, new)


def _cropped(
    rewriter: Rewriter,
    value: ir.Value,
    channels: int,
    size: Sequence[int],
    parts: Sequence[_Part | None],
) -> ir.Value:
    """Depthwise convolutions; each crops as much as one kernel can."""
    whole = [_Part(i + 2, 0, 1, extent) for i, extent in enumerate(size)]
    left = [part or all_of for part, all_of in zip(parts, whole, strict=True)]
    extents = list(size)
    while True:
        kernels, starts, strides = [], [], []
        for i, part in enumerate(left):
            surplus = extents[i] - (part.count - 1) * part.step - 1
            last = surplus < _KERNEL
            kernel = min(surplus, _KERNEL - 1) + 1
            start = min(part.start, kernel - 1)
            kernels.append(kernel)
            starts.append(start)
            strides.append(part.step if last else 1)
            extents[i] = part.count if last else extents[i] - kernel + 1
            step = 1 if last else part.step
            left[i] = _Part(part.axis, part.start - start, step, part.count)
        weights = np.zeros((channels, 1, *kernels), np.float32)
        weights[:, :, starts[0], starts[1]] = 1
        value = rewriter.add(
            "Conv",
            [value, rewriter.constant(weights)],
            group=channels,
            kernel_shape=kernels,
            strides=strides,
        )
        if extents == [part.count for part in left]:
            return value


def _as_four(rewriter: Rewriter, value: ir.Value, size: Size) -> ir.Value:
    return value if len(size) == 4 else rewriter.reshape(value, in_four(size))


_LOWER = {"Slice": _slice, "Split": _unused_split, "Gather": _gather}
