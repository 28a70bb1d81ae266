"""InstanceNormalization, and through it the exporter's GroupNorm."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, constant, operand, shape, source
from npukit_convert.passes._spatial import spread
from npukit_convert.passes.base import CAFFE, Pass, Stage

FP16 = "in fp16 squares of deviations below 7.8e-3 lose digits, below 1.7e-4 they are 0"


class LowerInstanceNorm(Pass):
    """y = (x - mean) * (variance + eps) ** -0.5 * scale + bias, in poolings and products.

    Caffe's own MVN divides by sqrt(variance) + eps, which is another number where the variance
    is small. Group normalisation is exported as instance normalisation of (N, groups, the
    rest): the same, with the rest folded to a height and a width.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "InstanceNormalization, GroupNormalization as poolings and products"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        return [
            f"{node.name}: {node.op_type} as poolings and products; {FP16}"
            for node in list(model.graph)
            if node.op_type in _GROUPS and _normalise(node)
        ]


_GROUPS = ("InstanceNormalization", "GroupNormalization")


def _normalise(node: ir.Node) -> bool:
    size = shape(node.inputs[0])
    scale, bias = (constant(operand(node, index)) for index in (1, 2))
    if size is None or len(size) not in (3, 4) or scale is None or bias is None:
        return False
    groups = size[1]
    if node.op_type == "GroupNormalization":
        groups = int(attribute(node, "num_groups"))
        if scale.size != size[1]:  # before opset 21 there was one for each group
            scale, bias = (np.repeat(array, size[1] // groups) for array in (scale, bias))
    each = size[1] // groups
    rewriter = Rewriter(node)
    rest = math.prod(size[2:])
    plane = (each * size[2], *size[3:]) if len(size) == 4 else _plane(each * rest)
    four = (size[0], groups, *plane)
    x = source(node) if four == size else rewriter.reshape(source(node), four)
    centred, inverse = _statistics(rewriter, x, four, attribute(node, "epsilon", 1e-5))
    if each == 1 and not np.all(scale == 1):
        inverse = rewriter.add("Mul", [inverse, rewriter.constant(_column(scale, 4))])
    value = rewriter.add("Mul", [centred, inverse])
    if four != size:
        value = rewriter.reshape(value, size)
    if each > 1 and not np.all(scale == 1):
        value = rewriter.add("Mul", [value, rewriter.constant(_column(scale, len(size)))])
    if np.any(bias):
        value = rewriter.add("Add", [value, rewriter.constant(_column(bias, len(size)))])
    rewriter.replace(value)
    return True


def _statistics(
    rewriter: Rewriter, x: ir.Value, size: tuple[int, ...], eps: float
) -> tuple[ir.Value, ir.Value]:
    """The deviations from the mean, and (variance + eps) ** -0.5 as (N,C,1,1)."""
    mean = rewriter.add("GlobalAveragePool", [x])
    mean = spread(rewriter, mean, (*size[:2], 1, 1), size)
    centred = rewriter.add("Sub", [x, mean])
    squared = rewriter.add("Mul", [centred, centred])
    variance = rewriter.add("GlobalAveragePool", [squared])
    shifted = rewriter.add("Add", [variance, rewriter.constant(eps)])
    return centred, rewriter.add("Pow", [shifted, rewriter.constant(-0.5)])


def _plane(count: int) -> tuple[int, int]:
    """The most square height and width of that many places."""
    height = max(k for k in range(1, math.isqrt(count) + 1) if count % k == 0)
    return height, count // height


def _column(array: Array, rank: int) -> Array:
    return array.reshape(-1, *[1] * (rank - 2))
