"""Arithmetic that broadcasts, in arithmetic of equal shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Rewriter, constant, shape, source
from npukit_convert.passes._spatial import in_four, spread
from npukit_convert.passes.base import CAFFE, Pass, Stage

_PAIRWISE = {"Sum": "Add", "Mean": "Add", "Max": "Max", "Min": "Min"}
_OPERATORS = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Expand")
Size = tuple[int, ...]


class LowerBroadcast(Pass):
    """Caffe's Eltwise never broadcasts: the smaller operand is made as large as the other.

    A convolution of ones repeats channels, a nearest Resize repeats rows and columns. A product
    keeps a factor for each channel: that is a Scale. What repeats along the batch is left.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "operands of arithmetic made equal in shape"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        return [
            change
            for node in list(model.graph)
            if node.op_type in _OPERATORS and (change := _lower(node, form))
        ]


def _lower(node: ir.Node, form: str) -> str:
    values = [source(node, index) for index in range(len(node.inputs))]
    if node.op_type == "Expand":
        return _expand(node)
    constants = [value for value in values if constant(value) is not None]
    equal = len({shape(value) for value in values}) == 1
    if len(constants) == len(values) or len(values) < 2:
        return ""
    if node.op_type in _PAIRWISE and (len(values) > 2 or node.op_type in ("Sum", "Mean")):
        return "" if equal and not constants else _in_pairs(node, values)
    if node.op_type in ("Max", "Min") and constants:
        return _bound(node, values)
    return _equalise(node, values, form)


def _in_pairs(node: ir.Node, values: Sequence[ir.Value]) -> str:
    rewriter = Rewriter(node)
    result = values[0]
    for value in values[1:]:
        result = rewriter.add(_PAIRWISE[node.op_type], [result, value])
    if node.op_type == "Mean":
        result = rewriter.add("Mul", [result, rewriter.constant(1 / len(values))])
    rewriter.replace(result)
    return f"{node.name}: {node.op_type} of {len(values)} in pairs"


def _bound(node: ir.Node, values: Sequence[ir.Value]) -> str:
    """As max(x, c) = relu(x - c) + c and min(x, c) = x - relu(x - c)."""
    bound, x = sorted(values, key=lambda value: constant(value) is None)
    if shape(x) != shape(node.outputs[0]):
        return _equalise(node, values, "")
    rewriter = Rewriter(node)
    above = rewriter.add("Relu", [rewriter.add("Sub", [x, bound])])
    upper = node.op_type == "Max"
    rewriter.replace(rewriter.add(*(("Add", [above, bound]) if upper else ("Sub", [x, above]))))
    return f"{node.name}: {node.op_type} with a constant as Relu"


def _equalise(node: ir.Node, values: Sequence[ir.Value], form: str) -> str:
    wanted = shape(node.outputs[0])
    small = [i for i, v in enumerate(values) if constant(v) is None and shape(v) != wanted]
    if wanted is None or not small:
        return ""
    if (
        len(small) == 1
        and constant(values[1 - small[0]]) is None
        and _scales(node, small[0], shape(values[small[0]]), wanted, form)
    ):
        return ""
    if node.op_type == "Mul":
        small = small[-1:]
    if len(small) == 1 and (factor := _factor(node, small[0], wanted, form)):
        return _spread_inputs(node, small, factor)
    return _spread_inputs(node, small, wanted)


def _factor(node: ir.Node, index: int, wanted: Size, form: str) -> Size | None:
    """The shape (N,C,1,1) for a factor (N,1,1,1), where a Scale layer takes the first."""
    size = shape(node.inputs[index]) or ()
    factor = (wanted[0], wanted[1], 1, 1) if len(wanted) == 4 else ()
    fits = size != factor and size == (*factor[:1], 1, 1, 1)
    return factor if fits and _scales(node, index, factor, wanted, form) else None


def _scales(node: ir.Node, index: int, size: Size | None, wanted: Size, form: str) -> bool:
    """Whether a Scale layer takes the operand as its factor."""
    if size is None or not (node.op_type == "Mul" or (node.op_type == "Div" and index == 1)):
        return False
    size = (1,) * (len(wanted) - len(size)) + size
    long = [axis for axis, extent in enumerate(size) if extent > 1]
    if form == "caffe-omg":
        return long == [1] and size[1] == wanted[1]
    first, last = (long[0], long[-1]) if long else (1, 1)
    return size[first : last + 1] == wanted[first : last + 1] and first < 2


def _expand(node: ir.Node) -> str:
    wanted = shape(node.outputs[0])
    if wanted is None or shape(node.inputs[0]) == wanted or constant(node.inputs[0]) is not None:
        return ""
    made = _made(Rewriter(node), source(node), wanted)
    if made is None:
        return ""
    rewriter, value = made
    rewriter.replace(value)
    return f"{node.name}: Expand to {list(wanted)} by repetition"


def _spread_inputs(node: ir.Node, small: Sequence[int], wanted: Size) -> str:
    rewriter = Rewriter(node)
    for index in small:
        made = _made(rewriter, source(node, index), wanted)
        if made is None:
            return ""
        node.replace_input_with(index, made[1])
    return f"{node.name}: an operand of {node.op_type} repeated to {list(wanted)}"


def _made(rewriter: Rewriter, value: ir.Value, wanted: Size) -> tuple[Rewriter, ir.Value] | None:
    """The value in the wanted shape; None where Caffe has no way to it."""
    size = shape(value)
    if size is None or len(wanted) > 4 or len(size) > len(wanted):
        return None
    aligned = (1,) * (len(wanted) - len(size)) + size
    old, new = in_four(aligned), in_four(wanted)
    if old[0] != new[0]:
        return None
    if old != size:
        value = rewriter.reshape(value, old)
    value = spread(rewriter, value, old, new)
    return rewriter, value if new == wanted else rewriter.reshape(value, wanted)
