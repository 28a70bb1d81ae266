"""Sums, products, quotients, maxima: with a constant, or of blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, constant, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder, Shape, power
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.net import Parameter, Word

_EQUAL_SHAPES = "operands of equal shapes, or (N,C,1,1) with (N,C,H,W)"


class Arithmetic(Family):
    """Power for a number, Scale for one of each channel, Eltwise for blobs of equal shapes."""

    operators: ClassVar[tuple[str, ...]] = (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Sum",
        "Mean",
    )

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        values = [value for value in node.inputs if value is not None]
        constants = [constant(value) for value in values]
        if len(values) == 1:
            net.pass_through(node, net.blob(values[0]))
        elif len(values) == 2 and any(c is not None for c in constants):
            _with_constant(node, net)
        elif any(c is not None for c in constants):
            net.refuse(node, "one of several operands is constant", "two operands at a time")
        elif len({shape(value) for value in values}) == 1:
            _equal(node, net, [net.blob(value) for value in values])
        elif node.op_type in ("Mul", "Div") and len(values) == 2:
            _scaled(node, net)
        else:
            sizes = " and ".join(str(list(shape(value) or ())) for value in values)
            net.refuse(node, f"operands of shapes {sizes}: Eltwise never broadcasts", _EQUAL_SHAPES)


def _equal(node: ir.Node, net: NetBuilder, blobs: Sequence[str]) -> None:
    kind, size = node.op_type, net.shapes[blobs[0]]
    if kind in ("Add", "Sum"):
        _eltwise(node, net, "SUM", blobs)
    elif kind == "Sub":
        net.add(node, "Eltwise", blobs, _operation("SUM", coeff=[1.0, -1.0]))
    elif kind == "Mean":
        _eltwise(node, net, "SUM", blobs, [1 / len(blobs)] * len(blobs))
    elif kind == "Mul":
        net.add(node, "Eltwise", blobs, _operation("PROD"))
    elif kind == "Div":
        inverse = net.add_inner(node, "Power", blobs[1:], size, {"power_param": power(-1.0)})
        net.add(node, "Eltwise", [blobs[0], inverse], _operation("PROD"))
    elif kind == "Max":
        _eltwise(node, net, "MAX", blobs)
    else:  # min(a, b) = -max(-a, -b)
        minus = {"power_param": power(scale=-1.0)}
        negative = [net.add_inner(node, "Power", [blob], size, minus) for blob in blobs]
        while len(negative) > 1:
            first, negative = negative[:_MOST], negative[_MOST:]
            negative.insert(0, net.add_inner(node, "Eltwise", first, size, _operation("MAX")))
        net.add(node, "Power", negative, minus)


_MOST = 4  # bottoms of one Eltwise that Ascend's compiler takes


def _eltwise(
    node: ir.Node,
    net: NetBuilder,
    operation: str,
    blobs: Sequence[str],
    coefficients: Sequence[float] = (),
) -> None:
    """One Eltwise, or a chain of them."""
    left, factors, size = list(blobs), list(coefficients), net.shapes[blobs[0]]
    while True:
        how = _operation(operation, **({"coeff": factors[:_MOST]} if factors else {}))
        if len(left) <= _MOST:
            net.add(node, "Eltwise", left, how)
            return
        left = [net.add_inner(node, "Eltwise", left[:_MOST], size, how), *left[_MOST:]]
        factors = [1.0, *factors[_MOST:]] if factors else []


def _operation(word: str, **more: Parameter) -> dict[str, dict[str, Parameter]]:
    return {"eltwise_param": {"operation": Word(word), **more}}


def _with_constant(node: ir.Node, net: NetBuilder) -> None:
    kind = node.op_type
    left = constant(node.inputs[0]) is not None
    numbers, value = constant(node.inputs[0 if left else 1]), node.inputs[1 if left else 0]
    size, wanted = shape(value), shape(node.outputs[0])
    if numbers is None or size is None or size != wanted or constant(value) is not None:
        sizes = [list(shape(one) or ()) for one in node.inputs]
        net.refuse(node, f"operands of shapes {sizes}: the constant is the larger", _EQUAL_SHAPES)
        return
    if kind not in ("Add", "Sum", "Sub", "Mul", "Div"):
        net.refuse(node, "a maximum, minimum or mean with a constant array", "Clip or Relu")
        return
    if kind == "Div" and not left and not np.all(numbers):
        net.refuse(node, "a division by zero", "a divisor that is not 0")
        return
    if np.all(numbers == numbers.reshape(-1)[0]):
        _with_number(node, net, net.blob(value), float(numbers.reshape(-1)[0]), left)
    else:
        _with_array(node, net, net.blob(value), numbers.astype(np.float64), left)


def _with_number(node: ir.Node, net: NetBuilder, blob: str, number: float, left: bool) -> None:
    how = {
        ("Add", False): power(shift=number),
        ("Sub", False): power(shift=-number),
        ("Sub", True): power(scale=-1.0, shift=number),
        ("Mul", False): power(scale=number),
    }
    kind = "Add" if node.op_type == "Sum" else node.op_type
    if kind == "Div":  # c / x = (x / c) ** -1
        if number == 0:
            net.refuse(node, "zero divided by a blob", "a numerator that is not 0")
            return
        parameters = power(-1.0 if left else 1.0, scale=1 / number)
    else:
        parameters = how[kind, left and kind == "Sub"]
    net.add(node, "Power", [blob], {"power_param": parameters})


def _with_array(node: ir.Node, net: NetBuilder, blob: str, numbers: Array, left: bool) -> None:
    size, kind = net.shapes[blob], node.op_type
    axis, numbers = _fitted(numbers, size)
    if kind == "Div" and left:
        blob = net.add_inner(node, "Power", [blob], size, {"power_param": power(-1.0)})
    elif kind == "Div":
        numbers = 1 / numbers
    ones = np.ones_like(numbers)
    blobs: tuple[Array, ...] = (numbers,)
    if kind in ("Add", "Sum"):
        blobs = (ones, numbers)
    elif kind == "Sub":
        blobs = (-ones, numbers) if left else (ones, -numbers)
    parameters: dict[str, Parameter] = {"axis": axis, "num_axes": numbers.ndim}
    if len(blobs) > 1:
        parameters["bias_term"] = True
    net.add(node, "Scale", [blob], {"scale_param": parameters}, blobs)


def _fitted(numbers: Array, size: Shape) -> tuple[int, Array]:
    """The first axis that the numbers differ along, and the numbers over it and those after."""
    aligned = numbers.reshape((1,) * (len(size) - numbers.ndim) + numbers.shape)
    first, last = _range(aligned.shape)
    whole = np.broadcast_to(aligned[(0,) * first], size[first:])
    extents = size[first : last + 1]
    return first, whole.reshape(*extents, -1)[..., 0]


def _range(size: Shape) -> tuple[int, int]:
    """The first and the last axis that is longer than 1; axis 1 where none is."""
    long = [axis for axis, extent in enumerate(size) if extent > 1] or [min(1, len(size) - 1)]
    return long[0], long[-1]


def _scaled(node: ir.Node, net: NetBuilder) -> None:
    """A Scale of two bottoms: x * s or x / s, where s has a size of 1 along some axes."""
    first, second = node.inputs[:2]
    size, wanted = shape(second), shape(node.outputs[0])
    if size == wanted and node.op_type == "Mul":
        first, second = second, first
    size = shape(second)
    if size is None or wanted is None or shape(first) != wanted:
        net.refuse(node, "both operands broadcast", _EQUAL_SHAPES)
        return
    size = (1,) * (len(wanted) - len(size)) + size
    axis, last = _range(size)
    if size[axis : last + 1] != wanted[axis : last + 1]:
        net.refuse(
            node, f"an operand of shape {list(size)} with one of {list(wanted)}", _EQUAL_SHAPES
        )
        return
    small = net.blob(second)
    if node.op_type == "Div":
        inverse = {"power_param": power(-1.0)}
        small = net.add_inner(node, "Power", [small], net.shapes[small], inverse)
    part = size[axis : last + 1]
    if part != net.shapes[small]:
        reshape: dict[str, dict[str, Parameter]] = {"reshape_param": {"shape": list(part)}}
        small = net.add_inner(node, "Reshape", [small], part, reshape)
    net.add(node, "Scale", [net.blob(first), small], {"scale_param": {"axis": axis}})
