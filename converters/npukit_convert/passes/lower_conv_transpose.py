"""Transposed convolutions within the limits of OMG's Deconvolution."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, constant, operand
from npukit_convert.onnx_to_caffe.profiles._omg_rules import MIB, deconvolution_bytes
from npukit_convert.passes._parts import join, split
from npukit_convert.passes.base import Pass, Stage
from npukit_convert.windows import Axis, symmetric_transposed, transposed_axes


class LowerConvTranspose(Pass):
    """No groups, no dilation, the same padding at both ends, and small enough.

    Groups become zeros in the kernel. What is too large becomes one node per part: of the groups
    (with their inputs) if that is enough, else of the output channels.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = ("caffe-omg",)
    summary: ClassVar[str] = "ConvTranspose without groups and dilation, in parts of up to 1 MiB"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            parts = _lower(node) if node.op_type == "ConvTranspose" else 0
            if parts:
                changes.append(f"{node.name}: ConvTranspose as {parts} without groups")
        return changes


def _lower(node: ir.Node) -> int:
    weights, bias = constant(operand(node, 1)), constant(operand(node, 2))
    given = (
        None if weights is None or weights.ndim != 4 else transposed_axes(node, weights.shape[2:])
    )
    if weights is None or given is None or (operand(node, 2) is not None and bias is None):
        return 0
    before, windows = weights.shape, []
    for i, axis in enumerate(given):
        weights, fit = symmetric_transposed(weights, i + 2, axis)
        windows.append(fit)
    group = attribute(node, "group", 1)
    sources, pieces = _parts(weights, group, windows)
    if len(pieces) == 1 and group == 1 and weights.shape == before and windows == given:
        return 0
    rewriter = Rewriter(node)
    x = node.inputs[0]
    assert x is not None  # noqa: S101 - the operator's own schema
    slices = split(rewriter, x, 1, [len(weights) // sources] * sources)
    each = len(pieces) // sources
    offsets = [None] * len(pieces) if bias is None else np.split(bias, len(pieces))
    tops = [
        rewriter.add(
            "ConvTranspose",
            [
                slices[i // each],
                rewriter.constant(piece),
                *([] if offset is None else [rewriter.constant(offset)]),
            ],
            strides=[axis.stride for axis in windows],
            pads=[axis.begin for axis in windows] * 2,
        )
        for i, (piece, offset) in enumerate(zip(pieces, offsets, strict=True))
    ]
    rewriter.replace(join(rewriter, tops, 1))
    return len(tops)


def _parts(weights: Array, group: int, windows: list[Axis]) -> tuple[int, list[Array]]:
    """In how many parts the input is cut, and the weights of each node, in order."""
    wide = windows[1]

    def fits(inputs: int, outputs: int) -> bool:
        size = weights.shape[2], weights.shape[3]
        return deconvolution_bytes((inputs, outputs), size, wide.size, wide.stride) <= MIB

    inputs, outputs = len(weights), weights.shape[1]
    for parts in _divisors(group):
        if fits(inputs // parts, outputs * group // parts):
            return parts, [_dense(piece, group // parts) for piece in np.split(weights, parts)]
    cuts = next((n for n in _divisors(outputs) if fits(inputs // group, outputs // n)), 1)
    return group, [
        piece for of_group in np.split(weights, group) for piece in np.split(of_group, cuts, axis=1)
    ]


def _dense(weights: Array, group: int) -> Array:
    """The weights of one group that does what `group` groups do."""
    inputs, outputs = len(weights) // group, weights.shape[1]
    dense = np.zeros((len(weights), outputs * group, *weights.shape[2:]), weights.dtype)
    for i in range(group):
        rows, columns = (slice(i * n, (i + 1) * n) for n in (inputs, outputs))
        dense[rows, columns] = weights[rows]
    return dense


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
