"""The graph of an ONNX network in the neutral terms of `npukit.om`, with the vendor's names.

The vendor's names are those of the DDK's compiler for Ascend 310, as compiled files have them
(Convolution, Pooling, Activation with a mode, FullConnection); an operator that it has no name for
keeps ONNX' own. The graph is there to be looked at: the simulator executes the ONNX network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from npukit.om.graph import OmGraph, OmNode, OmTensor, Value
from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    import onnx

# ONNX operator -> the vendor's. The mode of an Activation: sigmoid 0, ReLU 1, tanh 2, ELU 4, ...
VENDOR_TYPES = {
    "Abs": "Activation", "Add": "Add", "ArgMax": "ArgMax", "AveragePool": "Pooling",
    "BatchNormalization": "BatchNorm", "Cast": "Cast", "Ceil": "Ceil", "Clip": "ClipByValue",
    "Concat": "Concat", "Conv": "Convolution", "ConvTranspose": "Deconvolution", "Cos": "Cos",
    "DepthToSpace": "DepthToSpace", "Div": "RealDiv", "Elu": "Activation", "Equal": "Equal",
    "Erf": "Erf", "Exp": "Exp", "Expand": "BroadcastTo", "Flatten": "Flatten", "Floor": "Floor",
    "Gather": "Gather", "GatherND": "GatherNd", "Gemm": "FullConnection",
    "GlobalAveragePool": "Pooling", "GlobalMaxPool": "Pooling", "Greater": "Greater",
    "HardSigmoid": "Activation", "HardSwish": "HardSwish", "InstanceNormalization": "InstanceNorm",
    "LRN": "LRN", "LSTM": "LSTM", "LayerNormalization": "LayerNorm", "LeakyRelu": "Activation",
    "Less": "Less", "Log": "Log", "LogSoftmax": "LogSoftmax", "MatMul": "MatMul",
    "Max": "Maximum", "MaxPool": "Pooling", "Min": "Minimum", "Mul": "Mul", "Neg": "Neg",
    "Pad": "Pad", "Pow": "Pow", "PRelu": "PReLU", "Reciprocal": "Reciprocal",
    "ReduceMax": "ReduceMax", "ReduceMean": "ReduceMean", "ReduceMin": "ReduceMin",
    "ReduceSum": "ReduceSum", "Relu": "Activation", "Reshape": "Reshape", "Round": "Round",
    "Selu": "Activation", "Shape": "Shape", "Sigmoid": "Activation", "Sin": "Sin",
    "Slice": "StridedSlice", "Softmax": "Softmax", "Softplus": "Activation",
    "Softsign": "Activation", "SpaceToDepth": "SpaceToDepth", "Split": "Split", "Sqrt": "Sqrt",
    "Squeeze": "Squeeze", "Sub": "Sub", "Tanh": "Activation", "Tile": "Tile", "TopK": "TopK",
    "Transpose": "Permute", "Unsqueeze": "ExpandDims", "Upsample": "Upsample", "Where": "Select",
}  # fmt: skip
_ADDED: Mapping[str, Mapping[str, Value]] = {
    "Sigmoid": {"mode": 0}, "Relu": {"mode": 1}, "Tanh": {"mode": 2}, "Elu": {"mode": 4},
    "LeakyRelu": {"mode": 5}, "Abs": {"mode": 6}, "Softsign": {"mode": 8},
    "Softplus": {"mode": 9}, "HardSigmoid": {"mode": 10}, "Selu": {"mode": 12},
    "MaxPool": {"mode": 0}, "AveragePool": {"mode": 1},
    "GlobalMaxPool": {"mode": 0, "global_pooling": True},
    "GlobalAveragePool": {"mode": 1, "global_pooling": True},
}  # fmt: skip
_RENAMED = {"strides": "stride", "pads": "pad", "dilations": "dilation", "kernel_shape": "kernel",
            "perm": "order", "to": "DstT"}  # fmt: skip
_RESIZE = {"nearest": "ResizeNearestNeighbor", "linear": "ResizeBilinear"}


def om_graph(onnx_bytes: bytes, where: str = "network") -> OmGraph:
    """Describe a network for `npukit.om.wrap`.

    Args:
        onnx_bytes: of a network with its weights inside.
        where: what errors name.

    Raises:
        ConversionError: no ONNX network, one with weights outside, or one without operators.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(onnx_bytes)
        if not model.graph.node:
            raise ConversionError("the network has no operators", where=where)
        inferred = onnx.shape_inference.infer_shapes(model)
        return _graph(inferred.graph)
    except ConversionError:
        raise
    except Exception as error:  # the library's errors have no common base
        raise ConversionError(
            f"not an ONNX network that can be described: {error}", where=where
        ) from error


def _graph(graph: onnx.GraphProto) -> OmGraph:
    weights = {name: _by_known_type(array) for name, array in _weights(graph)}
    values = [*graph.input, *graph.value_info, *graph.output]
    return OmGraph(
        name=graph.name,
        nodes=tuple(_node(node, weights) for node in graph.node if node.op_type != "Constant"),
        inputs=tuple(item.name for item in graph.input if item.name not in weights),
        outputs=tuple(item.name for item in graph.output),
        tensors={item.name: _tensor(item) for item in values if item.name not in weights},
        weights=weights,
    )


def _weights(graph: onnx.GraphProto) -> Iterator[tuple[str, Any]]:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant":
            given = node.attribute[0]
            if given.name == "value":
                yield node.output[0], numpy_helper.to_array(given.t)
            else:  # value_float, value_ints, ...
                value = _value(given)
                dtype = np.float32 if "float" in given.name else None
                yield node.output[0], np.asarray(value, dtype)


def _by_known_type(array: Any) -> Any:
    """Types that offline models do not have become their bytes."""
    from npukit.om.messages import DTYPE_NUMBERS

    if array.dtype.name in DTYPE_NUMBERS:
        return array
    if array.dtype == object:  # of strings
        return np.frombuffer("\0".join(map(str, array.ravel())).encode(), np.uint8)
    return np.frombuffer(array.tobytes(), np.uint8)


def _tensor(info: onnx.ValueInfoProto) -> OmTensor:
    from onnx import helper

    from npukit.om.messages import DTYPE_NUMBERS

    kind = info.type.tensor_type
    if not kind.elem_type:
        return OmTensor("undefined", None)
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    shape = (
        tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim)
        if kind.HasField("shape")
        else None
    )
    return OmTensor(dtype if dtype in DTYPE_NUMBERS else "undefined", shape)


def _node(node: onnx.NodeProto, weights: Mapping[str, Any]) -> OmNode:
    given = {item.name: _value(item) for item in node.attribute}
    attrs = {_RENAMED.get(name, name): value for name, value in given.items() if value is not None}
    attrs.update(_ADDED.get(node.op_type, {}))
    kind = VENDOR_TYPES.get(node.op_type, node.op_type)
    if kind == "Pooling" and "kernel" in attrs:
        attrs["window"] = attrs.pop("kernel")
    if node.op_type in ("Conv", "ConvTranspose", "Gemm"):
        attrs["bias_term"] = len(node.input) > 2
        kind = _convolution(kind, node, weights, attrs)
    if node.op_type == "Resize":
        kind = _RESIZE.get(str(given.get("mode", "nearest")), "Resize")
    return OmNode(
        name=node.name or (node.output[0] if node.output else node.op_type),
        type=kind,
        inputs=tuple(node.input),
        outputs=tuple(name for name in node.output if name),
        attrs={**attrs, "onnx_type": node.op_type},
    )


def _convolution(
    kind: str, node: onnx.NodeProto, weights: Mapping[str, Any], attrs: dict[str, Value]
) -> str:
    """The type; one filter per channel has a name of its own."""
    kernel = weights.get(node.input[1])
    if kernel is None or node.op_type != "Conv":
        return kind
    attrs["num_output"] = int(kernel.shape[0])
    depthwise = kernel.shape[1] == 1 and attrs.get("group", 1) == kernel.shape[0] > 1
    return "ConvolutionDepthwise" if depthwise else kind


def _value(given: onnx.AttributeProto) -> Value | None:
    """An attribute's value; None for tensors and graphs, which are not shown."""
    from onnx import helper

    if given.type not in (
        given.FLOAT, given.INT, given.STRING, given.FLOATS, given.INTS, given.STRINGS,
    ):  # fmt: skip
        return None
    value = helper.get_attribute_value(given)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (int, float)):
        return value
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in value]
