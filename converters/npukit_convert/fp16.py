"""What a network computes on a chip that holds every tensor in fp16."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from npukit_convert.errors import ConversionError
from npukit_convert.graph import Array, read_graph, write_graph

LARGEST: Final = 65504.0  # of fp16: larger numbers are clamped to it, as the chip does

# Their outputs are numbers of their inputs, so they are fp16 already.
_EXACT = frozenset(
    {"Abs", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Max"}
    | {"MaxPool", "Min", "Neg", "Pad", "Relu", "Reshape", "Slice", "SpaceToDepth", "Split"}
    | {"Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
# Inputs that are sizes, not data.
_SIZES = {"Resize": (1, 2, 3), "Upsample": (1,)}


def emulate(onnx: bytes) -> bytes:
    """The network with every float32 tensor rounded to fp16 and clamped to +-65504.

    Weights, inputs and each node's outputs are rounded; a node computes in float32, as the
    accumulators of such chips do. Inputs and outputs stay float32. The nodes inside the branches
    of If and Loop are not touched.

    Run it with graph optimisations off: fusing changes what is rounded.

    Raises:
        ConversionError: the bytes are no ONNX model, or the type of a tensor cannot be inferred.
    """
    model = read_graph(onnx)
    graph = model.graph
    for value in graph.initializers.values():
        _round_weights(value)
    low, high = (_bound(graph, name, sign * LARGEST) for name, sign in (("low", -1), ("high", 1)))
    nodes = list(graph)
    for value in list(graph.inputs):
        if value.dtype == ir.DataType.FLOAT and not value.is_graph_output():
            _insert(graph, value, low, high, None)
    for node in nodes:
        if node.op_type in _EXACT:
            continue
        for value in node.outputs:
            if value.dtype is None:
                raise ConversionError(
                    f"the type of {value.name} is unknown", where=f"{node.op_type} {node.name}"
                )
            if value.dtype == ir.DataType.FLOAT:
                _insert(graph, value, low, high, node)
    return write_graph(model)


def round_to_fp16(numbers: Array) -> Array:
    """The nearest fp16 numbers, as float32; what is too large becomes +-65504."""
    return np.clip(numbers, -LARGEST, LARGEST).astype(np.float16).astype(np.float32)


def _round_weights(value: ir.Value) -> None:
    if value.const_value is None or value.const_value.dtype != ir.DataType.FLOAT:
        return
    if any(index in _SIZES.get(node.op_type, ()) for node, index in value.uses()):
        return
    value.const_value = ir.tensor(round_to_fp16(value.const_value.numpy()), name=value.name)


def _bound(graph: ir.Graph, name: str, number: float) -> ir.Value:
    name = f"fp16/{name}"
    value = ir.val(name, const_value=ir.tensor(np.array(number, np.float32), name=name))
    graph.register_initializer(value)
    return value


def _insert(
    graph: ir.Graph, value: ir.Value, low: ir.Value, high: ir.Value, after: ir.Node | None
) -> None:
    """Round `value`, which node `after` computes (or nobody: an input)."""
    name = str(value.name)
    clamp = ir.node("Clip", [value, low, high], name=f"{name}/clamp")
    half = ir.node("Cast", clamp.outputs, {"to": ir.DataType.FLOAT16}, name=f"{name}/fp16")
    whole = ir.node("Cast", half.outputs, {"to": ir.DataType.FLOAT}, name=f"{name}/fp32")
    for node, suffix in ((clamp, "clamp"), (half, "fp16"), (whole, "fp32")):
        node.outputs[0].name = f"{name}/{suffix}"
    rounded = whole.outputs[0]
    rounded.dtype, rounded.shape = ir.DataType.FLOAT, value.shape
    uses = [use for use in value.uses() if use.node is not clamp]
    for node, index in uses:
        node.replace_input_with(index, rounded)
    new = [clamp, half, whole]
    if after is None:
        first = next(iter(graph), None)
        graph.extend(new) if first is None else graph.insert_before(first, new)
    else:
        graph.insert_after(after, new)
    if value.is_graph_output():
        value.name, rounded.name = f"{name}/exact", name
        graph.outputs[list(graph.outputs).index(value)] = rounded
