"""What a network computes on a chip that holds every tensor in fp16."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from npukit_convert.errors import ConversionError
from npukit_convert.graph import Array

LARGEST: Final = 65504.0  # of fp16: larger numbers are clamped to it, as the chip does

# Their outputs are numbers of their inputs, so they are fp16 already.
_EXACT = frozenset(
    {"Abs", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Max"}
    | {"MaxPool", "Min", "Neg", "Pad", "Relu", "Reshape", "Slice", "SpaceToDepth", "Split"}
    | {"Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
_LOW, _HIGH = "fp16/low", "fp16/high"
_CLIP_WITH_INPUTS = 11  # opset; before it the bounds were attributes
# Inputs that are sizes, not data.
_SIZES = {"Resize": (1, 2, 3), "Upsample": (1,)}


def emulate(data: bytes) -> bytes:
    """The network with every float32 tensor rounded to fp16 and clamped to +-65504.

    Weights, inputs and each node's outputs are rounded; a node computes in float32, as the
    accumulators of such chips do. Inputs and outputs stay float32. The nodes inside the branches
    of If and Loop are not touched.

    Run it with graph optimisations off: fusing changes what is rounded.

    Raises:
        ConversionError: the bytes are no ONNX model, or the type of a tensor cannot be inferred.
    """
    # On protobuf messages, not onnx_ir: this runs for every pass.
    model, types = _typed(data)
    graph = model.graph
    sizes = {
        node.input[place]
        for node in graph.node
        for place in _SIZES.get(node.op_type, ())
        if place < len(node.input)
    }
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
    weights = {tensor.name for tensor in graph.initializer}
    for tensor in graph.initializer:
        if tensor.data_type == _FLOAT and tensor.name not in sizes:
            rounded = round_to_fp16(numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    made: list[onnx.NodeProto] = []
    inputs = {
        value.name: f"{value.name}/fp32"
        for value in graph.input
        if value.name not in weights and value.type.tensor_type.elem_type == _FLOAT
    }
    for name, new in inputs.items():
        made += _rounding(name, new, opset)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = inputs.get(name, name)
        made.append(node)
        if node.op_type in _EXACT:
            continue
        for place, name in enumerate(node.output):
            if name and name not in types:
                raise ConversionError(
                    f"the type of {name} is unknown", where=f"{node.op_type} {node.name}"
                )
            if name and types[name] == _FLOAT and name not in sizes:
                node.output[place] = f"{name}/exact"
                made += _rounding(f"{name}/exact", name, opset)
    # Copied first: `made` holds the graph's own nodes.
    copies = onnx.GraphProto(node=made).node
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(
        numpy_helper.from_array(np.array(bound, np.float32), name)
        for name, bound in ((_LOW, -LARGEST), (_HIGH, LARGEST))
    )
    emulated: bytes = model.SerializeToString()
    return emulated


def round_to_fp16(numbers: Array) -> Array:
    """The nearest fp16 numbers, as float32; what is too large becomes +-65504."""
    return np.clip(numbers, -LARGEST, LARGEST).astype(np.float16).astype(np.float32)


def _typed(data: bytes) -> tuple[onnx.ModelProto, dict[str, int]]:
    """The network, and the type of each value; inferred where it is not noted."""
    try:
        model = onnx.load_model_from_string(data)
        types = _noted(model)
        if any(name not in types for node in model.graph.node for name in node.output if name):
            model = onnx.shape_inference.infer_shapes(model)
            types = _noted(model)
    except Exception as error:  # protobuf and the inference raise many kinds
        raise ConversionError(f"not an ONNX model: {error}") from error
    return model, types


def _noted(model: onnx.ModelProto) -> dict[str, int]:
    values = (*model.graph.value_info, *model.graph.output)
    return {
        value.name: value.type.tensor_type.elem_type
        for value in values
        if value.type.tensor_type.elem_type
    }


def _rounding(name: str, rounded: str, opset: int) -> list[onnx.NodeProto]:
    """Nodes that make `rounded` of the value `name`."""
    clamp, half = f"{rounded}/clamp", f"{rounded}/fp16"
    if opset < _CLIP_WITH_INPUTS:
        clip = helper.make_node("Clip", [name], [clamp], min=-LARGEST, max=LARGEST)
    else:
        clip = helper.make_node("Clip", [name, _LOW, _HIGH], [clamp])
    return [
        clip,
        helper.make_node("Cast", [clamp], [half], to=_HALF),
        helper.make_node("Cast", [half], [rounded], to=_FLOAT),
    ]
