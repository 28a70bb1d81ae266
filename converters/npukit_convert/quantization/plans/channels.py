"""Input channels that fill the integer kernels of a CPU.

ONNX Runtime's integer convolution takes four channels at a time (VNNI multiplies four bytes at
once). Where the count is no multiple of four it gathers every pixel instead, which takes several
times as long: MODNet joins a picture and 32 feature maps to 35. More channels of the same input,
multiplied by zeros, give the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

_FOUR = 4
_SIGN = "aligned"


def align_channels(model: onnx.ModelProto, layers: Collection[str]) -> dict[str, str]:
    """Widen the inputs of convolutions to a multiple of four channels; the model is changed.

    A 1x1 convolution needs no gathering and stays as it is, and so does one with groups.

    Args:
        model: float32; shapes of its tensors are known, else nothing is done.
        layers: names of nodes that will be computed in integers.

    Returns:
        The name of each new node, which is that of the tensor it makes, to the tensor whose
        range it has. They are to be computed in integers too.
    """
    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    known = {value.name: value.type for value in (*graph.value_info, *graph.input)}
    made: dict[str, str] = {}
    wide: dict[str, str] = {}  # input of a convolution to what is widened of it
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in layers and _gathers(node, weights):
            source, weight = node.input[0], numpy_helper.to_array(weights[node.input[1]])
            if source in known:
                if source not in wide:
                    new = _widen(graph, source, weight.shape[1], known[source])
                    wide[source] = new[-1].output[0]
                    made.update({one.name: source for one in new})
                    nodes += new
                node.input[0], node.input[1] = wide[source], _zeros_added(graph, node, weight)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def _gathers(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether a node is a convolution that the kernel has to gather the pixels of."""
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    groups = next((one.i for one in node.attribute if one.name == "group"), 1)
    _, channels, *kernel = weights[node.input[1]].dims
    return groups == 1 and channels % _FOUR != 0 and math.prod(kernel) > 1


def _widen(
    graph: onnx.GraphProto, source: str, channels: int, kind: onnx.TypeProto
) -> list[onnx.NodeProto]:
    """Nodes that repeat channels of a tensor until they are a multiple of four."""
    whole, rest = divmod(-channels % _FOUR, channels)
    name = f"{source}/{_SIGN}"
    parts, nodes = [source] * (1 + whole), []
    if rest:
        part = f"{name}_part"
        limits = [
            _constant(graph, f"{part}/{which}", np.array([value], np.int64))
            for which, value in (("starts", 0), ("ends", rest), ("axes", 1))
        ]
        nodes.append(helper.make_node("Slice", [source, *limits], [part], name=part))
        _describe(graph, part, kind, rest)
        parts.append(part)
    nodes.append(helper.make_node("Concat", parts, [name], name=name, axis=1))
    _describe(graph, name, kind, channels + whole * channels + rest)
    return nodes


def _zeros_added(
    graph: onnx.GraphProto, node: onnx.NodeProto, weight: np.ndarray[tuple[int, ...], np.dtype]
) -> str:
    filled = [(0, 0), (0, -weight.shape[1] % _FOUR), *[(0, 0)] * (weight.ndim - 2)]
    return _constant(graph, f"{node.name}/{_SIGN}_weight", np.pad(weight, filled))


def _constant(
    graph: onnx.GraphProto, name: str, value: np.ndarray[tuple[int, ...], np.dtype]
) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _describe(graph: onnx.GraphProto, name: str, kind: onnx.TypeProto, channels: int) -> None:
    """Say type and shape: those of another tensor with this many channels."""
    value = graph.value_info.add(name=name)
    value.type.CopyFrom(kind)
    value.type.tensor_type.shape.dim[1].dim_value = channels
