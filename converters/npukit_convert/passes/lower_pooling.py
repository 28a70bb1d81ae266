"""Pooling with the paddings, roundings and sizes that Caffe has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit.arrays import F64
from npukit_convert.graph import Rewriter, shape
from npukit_convert.passes._parts import join, runs, split
from npukit_convert.passes._spatial import first_stage
from npukit_convert.passes.base import CAFFE, Pass, Stage
from npukit_convert.pooling import divisors, rounding, windows
from npukit_convert.windows import Axis


class LowerPooling(Pass):
    """Padding in a node of its own; averages over a part of a window rescaled at the edges.

    The padding of a maximum repeats the edge, which every window that it touches sees anyway.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "pooling with uneven or uncounted padding; large global pooling"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            if node.op_type in ("MaxPool", "AveragePool"):
                how = _windowed(node, form)
            elif node.op_type.startswith("Global") and form == "caffe-omg":
                how = _in_two(node)
            else:
                continue
            if how:
                changes.append(f"{node.name}: {node.op_type} {how}")
        return changes


def _windowed(node: ir.Node, form: str) -> str:
    found, size = windows(node), shape(node.inputs[0])
    if (
        found is None
        or size is None
        or len(size) != 4
        or len(node.outputs) > 1
        or any(axis.dilation > 1 for axis in found)
        or rounding(node, found) is not None
    ):
        return ""
    rewriter = Rewriter(node)
    if node.op_type == "MaxPool":
        rewriter.replace(_pool(rewriter, node, _padded(rewriter, node, found, "edge"), found))
        return "after a padding that repeats the edge"
    factors = [axis.kernel / divisors(node, axis) for axis in found]
    rewriter.replace(_scaled(rewriter, _average(rewriter, node, found), factors, form))
    return "rescaled at the edges"


def _average(rewriter: Rewriter, node: ir.Node, found: Sequence[Axis]) -> ir.Value:
    """An average over whole windows, zeros around the picture and all."""
    pads = [axis.begin for axis in found] * 2
    inside = [
        (axis.size + 2 * axis.begin - axis.kernel) // axis.stride + 1 == axis.out for axis in found
    ]
    if all(inside) and all(axis.begin < axis.kernel for axis in found):
        return _pool(rewriter, node, node.inputs[0], found, pads)
    return _pool(rewriter, node, _padded(rewriter, node, found, "constant"), found)


def _pool(
    rewriter: Rewriter,
    node: ir.Node,
    x: ir.Value | None,
    found: Sequence[Axis],
    pads: Sequence[int] | None = None,
) -> ir.Value:
    return rewriter.add(
        node.op_type,
        [x],
        kernel_shape=[axis.kernel for axis in found],
        strides=[axis.stride for axis in found],
        pads=pads,
        count_include_pad=None if pads is None else 1,
    )


def _padded(rewriter: Rewriter, node: ir.Node, found: Sequence[Axis], mode: str) -> ir.Value:
    """The padding that the windows reach; less where a stride passes over the rest."""
    ends = [
        max((axis.out - 1) * axis.stride + axis.kernel - axis.begin - axis.size, 0)
        for axis in found
    ]
    pads = [0, 0, *(axis.begin for axis in found), 0, 0, *ends]
    lengths = rewriter.constant(np.asarray(pads, np.int64))
    return rewriter.add("Pad", [node.inputs[0], lengths], mode=mode)


def _scaled(rewriter: Rewriter, x: ir.Value, factors: Sequence[F64], form: str) -> ir.Value:
    """Each row and column times its factor."""
    if all((factor == 1).all() for factor in factors):
        return x
    if form != "caffe-omg":
        return rewriter.add("Mul", [x, rewriter.constant(np.multiply.outer(*factors)[None, None])])
    for axis, factor in enumerate(factors, start=2):
        lengths = runs(factor.tolist())
        numbers = [factor[end - 1] for end in accumulate(lengths)]
        parts = [
            part if number == 1 else rewriter.add("Mul", [part, rewriter.constant(number)])
            for part, number in zip(split(rewriter, x, axis, lengths), numbers, strict=True)
        ]
        x = join(rewriter, parts, axis)
    return x


def _in_two(node: ir.Node) -> str:
    """Windows that fill the picture, then one of all their results."""
    size = shape(node.inputs[0])
    kernel = None if size is None or len(size) != 4 else first_stage(size)
    if kernel is None:
        return ""
    rewriter = Rewriter(node)
    operator = node.op_type.removeprefix("Global")
    first = rewriter.add(operator, [node.inputs[0]], kernel_shape=kernel, strides=kernel)
    rewriter.replace(rewriter.add(node.op_type, [first]))
    return f"after one of {kernel[0]}x{kernel[1]}"
