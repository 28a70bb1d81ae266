"""What each layer of a quantised network computes, against float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

import onnx
import onnx_ir as ir

from npukit.arrays import F32
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.figures import Figures, Thresholds, difference
from npukit_convert.graph import read_graph, shape

_BATCH_BYTES = 512 << 20  # of layers that are held at once, of each network
_UNKNOWN_BYTES = 8 << 20  # taken for a tensor of unknown shape
_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16)


class _Pair(NamedTuple):
    """A float node, its tensor, what stands for it in the quantised network, and its size."""

    node: str
    tensor: str
    quantised: str
    size: int


def layer_figures(
    network: bytes, quantised: bytes, feeds: Sequence[Mapping[str, F32]]
) -> dict[str, Figures]:
    """Compare layer by layer, both networks as they are written (not optimised).

    What an int8 layer gives is what the layer after it is given: the tensor behind
    `QuantizeLinear` and `DequantizeLinear`. The error of a layer holds those of all layers before.

    Args:
        network: float32 ONNX.
        quantised: QDQ ONNX, in which tensors kept their names.
        feeds: network inputs; one of a few frames.

    Returns:
        By name of the float node, in its order, the worst figures of all feeds; nodes whose tensor
        is no longer there (an activation that became part of its convolution's range) are left
        out, and so are those that give no floats.

    Raises:
        ConversionError: no ONNX.
        ExecutionError: the engine fails.
    """
    found: dict[str, list[Figures]] = {}
    for batch in _batches(_pairs(network, quantised)):
        with (
            _tapped(network, [pair.tensor for pair in batch]) as one,
            _tapped(quantised, [pair.quantised for pair in batch]) as other,
        ):
            for feed in feeds:
                wanted, given = one.run(feed), other.run(feed)
                for pair in batch:
                    figures = difference(wanted[pair.tensor], given[pair.quantised])
                    found.setdefault(pair.node, []).append(figures)
    allowed = Thresholds()
    return {name: allowed.worst(figures) for name, figures in found.items()}


def _pairs(network: bytes, quantised: bytes) -> Iterator[_Pair]:
    graph = onnx.load_model_from_string(quantised).graph
    made = {name for node in graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for node in read_graph(network, raised=False).graph:
        value = node.outputs[0]
        name = str(value.name)
        if name in made and value.dtype in _FLOATS:
            sides = shape(value)
            size = _UNKNOWN_BYTES if sides is None else 4 * prod(sides)
            yield _Pair(str(node.name or name), name, _behind(name, users), size)


def _behind(name: str, users: Mapping[str, Sequence[onnx.NodeProto]]) -> str:
    """The tensor behind a QuantizeLinear and a DequantizeLinear, where all users take that."""
    first = users.get(name, ())
    if not first or any(node.op_type != "QuantizeLinear" for node in first):
        return name
    second = users.get(first[0].output[0], ())
    if not second or second[0].op_type != "DequantizeLinear":
        return name
    return str(second[0].output[0])


def _batches(pairs: Iterator[_Pair]) -> Iterator[list[_Pair]]:
    batch: list[_Pair] = []
    for pair in pairs:
        if batch and sum(one.size for one in batch) + pair.size > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


def _tapped(model: bytes, names: Sequence[str]) -> OnnxRuntime:
    """The network with some of its tensors as outputs."""
    proto = onnx.load_model_from_string(model)
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    return OnnxRuntime(proto.SerializeToString(), optimised=False)
