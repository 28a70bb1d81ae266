"""Padding and cropping by convolutions, and by rows and columns put in a row."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, Rewriter, attribute, constant, operand, scalar, shape
from npukit_convert.passes._parts import pick
from npukit_convert.passes.base import CAFFE, Pass, Stage
from npukit_convert.pooling import rounding, windows
from npukit_convert.windows import axes

_FOLDS = ("Conv", "AveragePool", "MaxPool")  # operators with a padding of their own
# Operators whose result is never below zero.
_POSITIVE = ("Relu", "Sigmoid", "Abs", "Softmax", "Softplus", "Exp")


class LowerPad(Pass):
    """Zeros become padding of the next convolutions or pools, else of a convolution of one pixel.

    A pixel's own weight is 1, so nothing is lost in fp16. A constant c is added by a second
    convolution, of a picture of -c, with the same padding and the bias c: 0 inside, c outside.
    """

    stage: ClassVar[Stage] = Stage.LOWER
    formats: ClassVar[tuple[str, ...]] = CAFFE
    summary: ClassVar[str] = "Pad as padding of the next node, 1x1 Conv, or Split and Concat"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            how = _lower(node) if node.op_type == "Pad" else ""
            if how:
                changes.append(f"{node.name}: Pad {how}")
        return changes


def _lower(node: ir.Node) -> str:
    size, pads = shape(node.inputs[0]), _pads(node)
    if size is None or pads is None:
        return ""
    if not any(pads):
        Rewriter(node).replace(_first(node))
        return "of nothing dropped"
    if len(size) != 4 or pads[0] or pads[4]:
        return ""
    begin, end = pads[1:4], pads[5:8]
    if attribute(node, "mode", "constant") != "constant":
        return _repeated(node, size, begin, end)
    number = 0.0 if operand(node, 2) is None else scalar(operand(node, 2))
    if number is None:
        return ""
    if begin[0] == end[0] == 0 and min(pads) >= 0 and _folded(node, begin[1:], end[1:], number):
        return "as padding of what follows"
    if not isfinite(number):
        return ""
    _convolved(node, size, begin, end, number)
    return "as a convolution"


def _first(node: ir.Node) -> ir.Value:
    value = node.inputs[0]
    assert value is not None  # noqa: S101 - the operator's own schema
    return value


def _pads(node: ir.Node) -> tuple[int, ...] | None:
    """Begin of all axes, then end of all axes."""
    size, given = shape(node.inputs[0]), constant(operand(node, 1))
    if size is None or given is None:
        return None
    numbers, chosen = given.reshape(-1).tolist(), constant(operand(node, 3))
    rank = len(size)
    places = range(rank) if chosen is None else [axis % rank for axis in chosen.tolist()]
    pads = [0] * (2 * rank)
    for i, axis in enumerate(places):
        pads[axis], pads[axis + rank] = numbers[i], numbers[i + len(places)]
    return tuple(pads)


# --- into the nodes that follow ---------------------------------------------------------------


def _folded(node: ir.Node, begin: Sequence[int], end: Sequence[int], number: float) -> bool:
    """Give the padding to every node that takes the result; nothing where one cannot."""
    result = node.outputs[0]
    users = [use.node for use in result.uses()]
    if result.is_graph_output() or not users:
        return False
    found = [_own_pads(user, node, number) for user in users]
    if any(one is None for one in found):
        return False
    before = [dict(user.attributes) for user in users]
    for user, own in zip(users, found, strict=True):
        if own is not None:
            _give(user, node, [a + b for a, b in zip(own, [*begin, *end], strict=True)])
    if all(_sayable(user) for user in users):
        if isinstance(node.graph, ir.Graph):
            node.graph.remove(node, safe=True)
        return True
    for user, attributes in zip(users, before, strict=True):
        user.replace_input_with(0, result)
        user.attributes.clear()
        user.attributes.update(attributes)
    return False


def _own_pads(user: ir.Node, node: ir.Node, number: float) -> list[int] | None:
    """The padding of a node that can have more of it; None for any other node."""
    if user.op_type not in _FOLDS or user.inputs[0] is not node.outputs[0]:
        return None
    if any(value is node.outputs[0] for value in user.inputs[1:]):
        return None
    if not _takes(user, node, number):
        return None
    kernel = attribute(user, "kernel_shape") or (shape(operand(user, 1)) or ())[2:]
    found = axes(user, tuple(kernel))
    if found is None:
        return None
    return [axis.begin for axis in found] + [axis.end for axis in found]


def _takes(user: ir.Node, node: ir.Node, number: float) -> bool:
    """Whether more padding in this node is the same as pixels of this number."""
    if user.op_type == "Conv":
        return number == 0
    if attribute(user, "ceil_mode", 0):
        return False
    if user.op_type == "AveragePool":
        counted = attribute(user, "count_include_pad", 0) == 1
        bare = attribute(user, "auto_pad", "NOTSET") == "NOTSET"
        return number == 0 and bare and (counted or not any(attribute(user, "pads", ())))
    producer = _first(node).producer()
    positive = number == 0 and producer is not None and producer.op_type in _POSITIVE
    return positive or number <= float(np.finfo(np.float32).min)


def _give(user: ir.Node, node: ir.Node, pads: Sequence[int]) -> None:
    user.replace_input_with(0, node.inputs[0])
    user.attributes.pop("auto_pad", None)
    user.attributes["pads"] = ir.AttrInt64s("pads", list(pads))
    if user.op_type == "AveragePool":
        user.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)


def _sayable(user: ir.Node) -> bool:
    """Whether Caffe has a pool with this padding."""
    found = windows(user) if user.op_type != "Conv" else None
    return user.op_type == "Conv" or (found is not None and rounding(user, found) is not None)


# --- by nodes of its own ----------------------------------------------------------------------


def _convolved(
    node: ir.Node, size: Sequence[int], begin: Sequence[int], end: Sequence[int], number: float
) -> None:
    """A convolution that copies pixels, moved by its padding; a negative padding crops."""
    channels, sides = size[1], [max(-pad, 0) for pad in (*begin[1:], *end[1:])]
    kernel = (1 + sides[0] + sides[2], 1 + sides[1] + sides[3])
    pads = [max(pad, 0) for pad in (*begin[1:], *end[1:])]
    outputs = channels + begin[0] + end[0]
    depthwise = begin[0] == end[0] == 0
    weights = np.zeros((outputs, 1 if depthwise else channels, *kernel), np.float32)
    for channel in range(channels):
        place = channel + begin[0]
        if 0 <= place < outputs:
            weights[place, 0 if depthwise else channel, sides[0], sides[1]] = 1
    group = channels if depthwise else 1
    rewriter = Rewriter(node)
    copy = rewriter.add("Conv", [_first(node), rewriter.constant(weights)], group=group, pads=pads)
    if number:
        copy = rewriter.add(
            "Add", [copy, _frame(rewriter, _first(node), channels, weights, pads, number)]
        )
    rewriter.replace(copy)


def _frame(
    rewriter: Rewriter,
    x: ir.Value,
    channels: int,
    weights: Array,
    pads: Sequence[int],
    number: float,
) -> ir.Value:
    """0 where the picture is, the number around it."""
    nothing = np.zeros((1, channels, 1, 1), np.float32)
    inside = rewriter.add(
        "Conv",
        [x, rewriter.constant(nothing), rewriter.constant([-number])],
    )
    summed = weights.sum(axis=1, keepdims=True)
    bias = np.full(len(weights), number, np.float32)
    return rewriter.add(
        "Conv", [inside, rewriter.constant(summed), rewriter.constant(bias)], pads=pads
    )


def _repeated(node: ir.Node, size: Sequence[int], begin: Sequence[int], end: Sequence[int]) -> str:
    """The modes edge, reflect and wrap: numpy knows which pixel goes where."""
    mode = attribute(node, "mode", "constant")
    if mode not in ("edge", "reflect", "wrap") or min(*begin, *end) < 0:
        return ""
    rewriter = Rewriter(node)
    x: ir.Value | None = _first(node)
    for axis in (1, 2, 3):
        front, back = begin[axis - 1], end[axis - 1]
        if x is not None and (front or back):
            places = np.pad(np.arange(size[axis]), (front, back), mode=mode).tolist()
            x = pick(rewriter, x, axis, places, size[axis])
    if x is None:
        return ""
    rewriter.replace(x)
    return f"of mode {mode} as Split and Concat"
