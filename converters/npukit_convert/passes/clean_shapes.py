"""Nodes that compute nothing: shapes known beforehand, copies, and what leaves its input as is."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx
import onnx_ir as ir

from npukit_convert import probes
from npukit_convert.graph import Array, Rewriter, attribute, constant, operand, scalar, shape
from npukit_convert.passes.base import Pass, Stage

_RANDOM = ("RandomNormal", "RandomUniform", "Bernoulli", "Multinomial")
_FOLDED_SIZE = 1 << 20  # numbers; a larger constant is better computed than stored
_BROADCASTING = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Sum", "Mean")


class CleanShapes(Pass):
    """Folds constants, drops copies, and lets operators broadcast instead of Expand and Tile.

    What onnxsim leaves, and all of it where onnxsim does not run.
    """

    stage: ClassVar[Stage] = Stage.CLEAN
    summary: ClassVar[str] = "constant shapes folded, copies and no-ops dropped"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes: list[str] = []
        while True:
            found = [
                change
                for node in list(model.graph)
                if node.graph is not None and node.domain in ("", "ai.onnx")
                for change in [_fold(node, model) or _drop(node) or _shorten(node)]
                if change
            ]
            if not found:
                return changes
            changes += found


def _fold(node: ir.Node, model: ir.Model) -> str | None:
    if len(node.outputs) != 1 or node.outputs[0].is_graph_output():
        return None
    result: Array | None = None
    if node.op_type == "Shape" and (size := shape(node.inputs[0])) is not None:
        end = attribute(node, "end", None)
        result = np.array(size[attribute(node, "start", 0) : end], np.int64)
    elif node.op_type == "Size" and (size := shape(node.inputs[0])) is not None:
        result = np.array(int(np.prod(size)), np.int64)
    elif _is_constant(node):
        result = _computed(node, model)
    if result is None or result.size > _FOLDED_SIZE:
        return None
    rewriter = Rewriter(node)
    new = rewriter.constant(result)
    new.shape, new.dtype = ir.Shape(result.shape), ir.DataType.from_numpy(result.dtype)
    rewriter.replace(new)
    return f"{node.name}: {node.op_type} is the constant {new.name}"


def _is_constant(node: ir.Node) -> bool:
    if node.op_type.startswith(_RANDOM) or any(
        one.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
        for one in node.attributes.values()
    ):
        return False
    given = [value for value in node.inputs if value is not None]
    return bool(given) and all(constant(value) is not None for value in given)


def _computed(node: ir.Node, model: ir.Model) -> Array | None:
    proto = ir.to_proto(node)
    names = {str(value.name): value for value in node.inputs if value is not None}
    graph = onnx.helper.make_graph(
        [proto],
        "constant",
        [],
        [onnx.helper.make_empty_tensor_value_info(proto.output[0])],
        [
            onnx.numpy_helper.from_array(np.asarray(constant(one)), name)
            for name, one in names.items()
        ],
    )
    opsets = [onnx.helper.make_opsetid("", model.opset_imports[""])]
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=model.ir_version)
    (result,) = probes.outputs(made.SerializeToString(), [{}])
    return result[proto.output[0]]


def _drop(node: ir.Node) -> str | None:
    is_no_op = _NO_OPS.get(node.op_type)
    if is_no_op is None or node.inputs[0] is None or not is_no_op(node):
        return None
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return None
    kept: ir.Value | None = node.inputs[0]
    if constant(kept) is not None and node.op_type in ("Mul", "Add"):
        kept = node.inputs[1]
    if kept is None:
        return None
    if node.outputs[0].is_graph_output() and (
        kept.is_graph_input() or kept.is_graph_output() or kept.is_initializer()
    ):
        return None
    Rewriter(node).replace(kept)
    return f"{node.name}: {node.op_type} changes nothing"


def _shorten(node: ir.Node) -> str | None:
    """Let a node take what stands before another one that it makes needless."""
    for index, value in enumerate(node.inputs):
        before = value.producer() if value is not None else None
        if (
            before is None
            or before.domain not in ("", "ai.onnx")
            or before.inputs[:1] in ((), (None,))
        ):
            continue
        source = before.inputs[0]
        if _broadcasts(node, value, before) or (
            index == 0 and node.op_type == before.op_type == "Reshape" and _is_plain(node)
        ):
            node.replace_input_with(index, source)
            return f"{node.name}: {node.op_type} without the {before.op_type} before it"
        if index == 0 and node.op_type == before.op_type == "Transpose":
            second, first = attribute(node, "perm"), attribute(before, "perm")
            if second and first:
                node.attributes["perm"] = ir.AttrInt64s("perm", [first[axis] for axis in second])
                node.replace_input_with(0, source)
                return f"{node.name}: one Transpose for two"
    return None


def _broadcasts(node: ir.Node, value: ir.Value | None, before: ir.Node) -> bool:
    if node.op_type not in _BROADCASTING or before.op_type not in ("Expand", "Tile"):
        return False
    small, large, result = shape(before.inputs[0]), shape(value), shape(node.outputs[0])
    others = [shape(other) for other in node.inputs if other is not value]
    if small is None or large is None or result is None or None in others or not others:
        return False
    full = (1,) * (len(large) - len(small)) + small
    repeated_ones = all(one in (1, many) for one, many in zip(full, large, strict=True))
    if not repeated_ones:  # a Tile of more than one number
        return False
    return np.broadcast_shapes(small, *(one for one in others if one is not None)) == result


def _is_plain(node: ir.Node) -> bool:
    """Whether a Reshape names every size itself, or all but one."""
    wanted = constant(operand(node, 1))
    return wanted is not None and not (wanted == 0).any()


def _same_shape(node: ir.Node) -> bool:
    size = shape(node.inputs[0])
    return size is not None and size == shape(node.outputs[0])


def _same_slice(node: ir.Node) -> bool:
    if not _same_shape(node):
        return False
    steps = constant(operand(node, 4))
    return operand(node, 4) is None or (steps is not None and bool((steps == 1).all()))


def _no_pad(node: ir.Node) -> bool:
    pads = constant(operand(node, 1))
    found = attribute(node, "pads") if pads is None else pads
    return found is not None and not np.any(found)


def _same_order(node: ir.Node) -> bool:
    order = attribute(node, "perm")
    return order is not None and list(order) == sorted(order)


def _same_type(node: ir.Node) -> bool:
    value = operand(node, 0)
    return value is not None and value.dtype is not None and attribute(node, "to") == value.dtype


def _inference(node: ir.Node) -> bool:
    training = operand(node, 2)
    return training is None or not scalar(training)


def _single(node: ir.Node) -> bool:
    return len(node.inputs) == 1


def _neutral(node: ir.Node) -> bool:
    number = 1 if node.op_type in ("Mul", "Div") else 0
    for place in (0, 1) if node.op_type in ("Mul", "Add") else (1,):
        numbers, other = constant(node.inputs[place]), node.inputs[1 - place]
        if numbers is not None and (numbers == number).all() and constant(other) is None:
            return shape(other) is not None and shape(other) == shape(node.outputs[0])
    return False


def _same_size(node: ir.Node) -> bool:
    cropping = attribute(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize"
    return _same_shape(node) and not cropping


def _one_tap(node: ir.Node) -> bool:
    return (
        _same_shape(node)
        and set(attribute(node, "kernel_shape", ())) == {1}
        and not any(attribute(node, "pads", ()))
    )


def _one_part(node: ir.Node) -> bool:
    return len(node.outputs) == 1


def _always(_node: ir.Node) -> bool:
    return True


_NO_OPS = {
    "Identity": _always,
    "Dropout": _inference,
    "Cast": _same_type,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile"), _same_shape),
    "Slice": _same_slice,
    "Pad": _no_pad,
    "Transpose": _same_order,
    "Resize": _same_size,
    "Split": _one_part,
    **dict.fromkeys(("MaxPool", "AveragePool"), _one_tap),
    **dict.fromkeys(("Concat", "Sum", "Max", "Min", "Mean"), _single),
    **dict.fromkeys(("Mul", "Div", "Add", "Sub"), _neutral),
}
