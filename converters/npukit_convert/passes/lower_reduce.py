"""Means, sums and maxima over axes in poolings and convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Rewriter, axes_of, constant, shape, source
from npukit_convert.passes._spatial import channel_matrix, in_four
from npukit_convert.passes.base import CAFFE, Pass, Stage

_OPERATORS = ("ReduceMean", "ReduceSum", "ReduceMax")


class LowerReduce(Pass):
    """Over height and width a pooling, over channels a 1x1 convolution."""

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "ReduceMean, ReduceSum, ReduceMax as poolings and convolutions"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            if node.op_type in _OPERATORS and _reduce(node):
                changes.append(f"{node.name}: {node.op_type} as pooling or 1x1 convolution")
        return changes


def _reduce(node: ir.Node) -> bool:
    size, wanted = shape(node.inputs[0]), shape(node.outputs[0])
    if size is None or not wanted or len(size) > 4 or constant(node.inputs[0]) is not None:
        return False
    axes = [axis for axis in axes_of(node, 1, len(size)) if size[axis] > 1]
    kind = node.op_type
    if 0 in axes or (kind == "ReduceMax" and 1 in axes):
        return False
    rewriter = Rewriter(node)
    old = in_four(size)
    value = source(node) if old == size else rewriter.reshape(source(node), old)
    places = [axis for axis in axes if axis > 1]
    if places:
        value = _pooled(rewriter, value, old, places, kind)
    if 1 in axes:
        value = _over_channels(rewriter, value, old[1], kind)
    if kind == "ReduceSum" and places:
        count = math.prod(size[axis] for axis in places)
        value = rewriter.add("Mul", [value, rewriter.constant(float(count))])
    now = tuple(1 if axis in axes else extent for axis, extent in enumerate(old))
    if now != wanted:
        value = rewriter.reshape(value, wanted)
    rewriter.replace(value)
    return True


def _pooled(
    rewriter: Rewriter,
    value: ir.Value,
    size: Sequence[int],
    places: Sequence[int],
    kind: str,
) -> ir.Value:
    pool = "MaxPool" if kind == "ReduceMax" else "AveragePool"
    if all(axis in places or size[axis] == 1 for axis in (2, 3)):
        return rewriter.add(f"Global{pool}", [value])
    kernel = [size[axis] if axis in places else 1 for axis in (2, 3)]
    return rewriter.add(pool, [value], kernel_shape=kernel, strides=kernel)


def _over_channels(rewriter: Rewriter, value: ir.Value, channels: int, kind: str) -> ir.Value:
    weight = 1 / channels if kind == "ReduceMean" else 1.0
    return channel_matrix(rewriter, value, np.full((1, channels), weight).tolist())
