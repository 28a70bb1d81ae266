"""Activations that Caffe has no layer for, in those it has."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Rewriter, attribute, operand, scalar, source
from npukit_convert.passes.base import CAFFE, Pass, Stage

_MOST_FACTORS = 4


class LowerActivation(Pass):
    """Mish, Selu, Softsign, Swish; Softplus for Ascend's compiler; whole powers as products.

    Caffe's Power takes a logarithm on some engines, so x ** 2 is x * x.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "Mish, Selu, Softplus, Softsign, Swish, whole powers"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            how = _LOWER.get(node.op_type)
            if how is None or (node.op_type == "Softplus" and form != "caffe-omg"):
                continue
            rewriter = Rewriter(node)
            made = how(node, rewriter)
            if made is not None:
                rewriter.replace(made)
                changes.append(f"{node.name}: {node.op_type} in simpler operators")
        return changes


def _mish(node: ir.Node, new: Rewriter) -> ir.Value:
    gate = new.add("Tanh", [new.add("Softplus", [source(node)])])
    return new.add("Mul", [source(node), gate])


def _swish(node: ir.Node, new: Rewriter) -> ir.Value:
    x, alpha = source(node), attribute(node, "alpha", 1.0)
    inner = x if alpha == 1 else new.add("Mul", [x, new.constant(alpha)])
    return new.add("Mul", [x, new.add("Sigmoid", [inner])])


def _selu(node: ir.Node, new: Rewriter) -> ir.Value:
    alpha = attribute(node, "alpha", 1.67326319217681884765625)
    gamma = attribute(node, "gamma", 1.05070102214813232421875)
    return new.add("Mul", [new.add("Elu", [source(node)], alpha=alpha), new.constant(gamma)])


def _softsign(node: ir.Node, new: Rewriter) -> ir.Value:
    below = new.add("Add", [new.add("Abs", [source(node)]), new.constant(1.0)])
    return new.add("Div", [source(node), below])


def _softplus(node: ir.Node, new: Rewriter) -> ir.Value:
    """A sum relu(x) + log(1 + exp(-|x|)), which never overflows."""
    far = new.add("Exp", [new.add("Neg", [new.add("Abs", [source(node)])])])
    near = new.add("Log", [new.add("Add", [far, new.constant(1.0)])])
    return new.add("Add", [new.add("Relu", [source(node)]), near])


def _whole_power(node: ir.Node, new: Rewriter) -> ir.Value | None:
    exponent = scalar(operand(node, 1))
    if exponent is None or exponent not in range(2, _MOST_FACTORS + 1):
        return None
    result = x = source(node)
    for _ in range(int(exponent) - 1):
        result = new.add("Mul", [result, x])
    return result


_LOWER: dict[str, Callable[[ir.Node, Rewriter], ir.Value | None]] = {
    "Mish": _mish,
    "Pow": _whole_power,
    "Selu": _selu,
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Swish": _swish,
}
