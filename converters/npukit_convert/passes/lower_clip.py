"""Clip, ReLU6, HardSigmoid and HardSwish in Relu, Add, Sub and Mul."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Rewriter, attribute, operand, scalar
from npukit_convert.passes.base import CAFFE, Pass, Stage


class LowerClip(Pass):
    """clip(x, a, b) = relu(x - a) - relu(x - b) + a.

    6 - relu(6 - x), the usual form, loses up to 2e-3 of each small activation in fp16; the
    difference of two relus loses nothing there.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "Clip, HardSigmoid, HardSwish as differences of Relu"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            how = _LOWER.get(node.op_type)
            if how is not None and how(node):
                changes.append(f"{node.name}: {node.op_type} as differences of Relu")
        return changes


def _clip(node: ir.Node) -> bool:
    low, high = (_bound(node, index) for index in (1, 2))
    rewriter = Rewriter(node)
    rewriter.replace(_clipped(rewriter, _first(node), low, high))
    return True


def _hard_sigmoid(node: ir.Node) -> bool:
    alpha, beta = attribute(node, "alpha", 0.2), attribute(node, "beta", 0.5)
    rewriter = Rewriter(node)
    rewriter.replace(_hard_gate(rewriter, _first(node), alpha, beta))
    return True


def _hard_swish(node: ir.Node) -> bool:
    rewriter = Rewriter(node)
    gate = _hard_gate(rewriter, _first(node), 1 / 6, 0.5)
    rewriter.replace(rewriter.add("Mul", [_first(node), gate]))
    return True


def _hard_gate(rewriter: Rewriter, x: ir.Value, alpha: float, beta: float) -> ir.Value:
    scaled = rewriter.add("Mul", [x, rewriter.constant(alpha)])
    shifted = rewriter.add("Add", [scaled, rewriter.constant(beta)])
    return _clipped(rewriter, shifted, 0.0, 1.0)


def _clipped(rewriter: Rewriter, x: ir.Value, low: float | None, high: float | None) -> ir.Value:
    if low is None:  # min(x, b) = x - relu(x - b)
        return x if high is None else rewriter.add("Sub", [x, _relu_above(rewriter, x, high)])
    above = _relu_above(rewriter, x, low)
    if high is not None:
        above = rewriter.add("Sub", [above, _relu_above(rewriter, x, high)])
    return above if low == 0 else rewriter.add("Add", [above, rewriter.constant(low)])


def _relu_above(rewriter: Rewriter, x: ir.Value, bound: float) -> ir.Value:
    if bound:
        x = rewriter.add("Sub", [x, rewriter.constant(bound)])
    return rewriter.add("Relu", [x])


def _bound(node: ir.Node, index: int) -> float | None:
    return scalar(operand(node, index))


def _first(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    assert value is not None  # noqa: S101 - the operator's own schema
    return value


_LOWER = {"Clip": _clip, "HardSigmoid": _hard_sigmoid, "HardSwish": _hard_swish}
