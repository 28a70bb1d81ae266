"""The constant factors and summands that lowering left, in one node or in the weights."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, shape
from npukit_convert.passes._affine import Affine, affine
from npukit_convert.passes._convolution import fold_affine
from npukit_convert.passes.base import CAFFE, Pass, Stage

_KINDS = ("Mul", "Add", "Sub", "Div")


class FinishConstants(Pass):
    """(x * a) * b = x * (a b), (x + a) + b = x + (a + b), and into a convolution beside them.

    A sum and a product are not exchanged: in fp16, (x - 5) * 100 is no 100 x - 500.
    """

    stage: ClassVar[Stage] = Stage.FINISH
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "constants that lowering left, joined or in the weights beside them"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = fold_affine(model.graph, _KINDS)
        for node in list(model.graph):
            if node.op_type in _KINDS and node.graph is not None:
                change = _join(node)
                changes += [change] if change else []
        return changes


def _join(node: ir.Node) -> str | None:
    after = affine(node)
    before_node = None if after is None else after.x.producer()
    if after is None or before_node is None or before_node.op_type not in _KINDS:
        return None
    if len(after.x.uses()) > 1 or after.x.is_graph_output():
        return None
    before = affine(before_node)
    if before is None:
        return None
    if not before.shift.any() and not after.shift.any():
        operator, numbers = "Mul", before.scale * after.scale
    elif (before.scale == 1).all() and (after.scale == 1).all():
        operator, numbers = "Add", before.shift + after.shift
    else:
        return None
    rewriter = Rewriter(node)
    rewriter.replace(
        rewriter.add(operator, [before.x, rewriter.constant(_shaped(numbers, before))])
    )
    before_node.graph.remove(before_node, safe=True)  # type: ignore[union-attr]
    return f"{node.name}: with {before_node.name} in one {operator}"


def _shaped(numbers: Array, of: Affine) -> Array:
    """A scalar where all channels have the same number, else (C, 1, 1)."""
    if (numbers == numbers[0]).all():
        return numbers[:1].reshape(())
    rank = len(shape(of.x) or ())
    return numbers.reshape(-1, *(1,) * (rank - 2))
