"""What can be computed in integers, and what goes along with it.

The tables are those of ONNX Runtime's CPU kernels; the tests execute each operator to see that
they are true. Chips that quantise convolutions and matrix products alone take what they know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from npukit_convert.errors import ConversionError
from npukit_convert.graph import attribute, constant, operand

MATRIX = frozenset({"Conv", "Gemm", "MatMul"})
# What Ascend's tools quantise; the rest of a network is in float16 there.
ON_CHIPS = MATRIX | {"AveragePool", "ConvTranspose"}
ELEMENTWISE = frozenset(
    {"Add", "AveragePool", "Concat", "GlobalAveragePool", "LeakyRelu", "Mul", "Sigmoid", "Softmax"}
)
# What they give is what they were given: in integers if that was. A Relu or Clip becomes a range.
FOLLOWING = frozenset(
    {"Clip", "DepthToSpace", "Flatten", "Gather", "MaxPool", "Relu", "Reshape", "Resize", "Slice"}
    | {"Split", "Squeeze", "Transpose", "Unsqueeze"}
)
_QUANTISED = frozenset(
    {"ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv"}
    | {"QLinearMatMul", "QuantizeLinear"}
)
_NO_WORK = frozenset({"Constant", "Identity", "Shape"})


@dataclass(frozen=True)
class Layers:
    """The nodes of a network by what can become of them.

    Attributes:
        able: node name to operator, of layers that can be int8, in the graph's order.
        kept: node name to why it stays in float.
        feeding: layer or kept node to the nodes whose results it takes, past what goes along.
        along: name of a node that goes along to that of the node it goes along with.
        operators: of all layers and kept nodes, in the graph's order.
    """

    able: Mapping[str, str]
    kept: Mapping[str, str]
    feeding: Mapping[str, tuple[str, ...]]
    along: Mapping[str, str]
    operators: Mapping[str, str]

    def settled(self, int8: Collection[str]) -> frozenset[str]:
        """Without elementwise layers of which an input is computed in float.

        Quantising that input would cost more than the operator itself, and precision.
        """
        chosen = set(int8)
        for name, operator in self.able.items():  # in order, so what feeds it is settled
            if operator in ELEMENTWISE and not set(self.feeding[name]) <= chosen:
                chosen.discard(name)
        return frozenset(chosen)

    def realised(self, int8: Collection[str]) -> list[str]:
        """These layers, and what goes along with them."""
        return [*int8, *(name for name, before in self.along.items() if before in int8)]


def find_layers(model: ir.Model, where: str = "network") -> Layers:
    """Sort the nodes of a float network.

    Args:
        model: node names are unique; see `prepare`.
        where: for messages.

    Raises:
        ConversionError: it is quantised already.
    """
    _refuse_quantised(model.graph, where)
    able: dict[str, str] = {}
    kept: dict[str, str] = {}
    feeding: dict[str, tuple[str, ...]] = {}
    along: dict[str, str] = {}
    operators: dict[str, str] = {}
    for node in model.graph:
        name, why = str(node.name), _why_not(node)
        sources = tuple(_source(value, along) for value in _computed(node))
        if node.op_type in _NO_WORK or all(constant(value) is not None for value in node.inputs):
            continue
        if not why and node.op_type in FOLLOWING:
            along[name] = sources[0] if sources else ""
            continue
        feeding[name], operators[name] = sources, node.op_type
        if why:
            kept[name] = why
        else:
            able[name] = node.op_type
    return Layers(able, kept, feeding, along, operators)


def _refuse_quantised(graph: Iterable[ir.Node], where: str) -> None:
    found = [node for node in graph if node.op_type in _QUANTISED]
    if found:
        raise ConversionError(
            f"the network is quantised already: {len(found)} nodes such as "
            f"{found[0].op_type} {found[0].name!r}",
            where=where,
            hint="give the float network that it was made of; as it is, it converts with "
            "`precision: fp32`",
        )


def _why_not(node: ir.Node) -> str:
    """Why a node stays in float; empty where it need not."""
    operator = node.op_type
    if operator not in MATRIX | ELEMENTWISE | FOLLOWING:
        return f"{operator} has no integer kernel"
    if operator in ("Conv", "Gemm") and any(
        constant(value) is None for value in node.inputs[1:] if value is not None
    ):
        return f"{operator} with computed weights has no integer kernel"
    if operator == "Resize" and attribute(node, "mode", "nearest") != "nearest":
        return "a Resize that interpolates has no integer kernel"
    if any(value.dtype not in (None, ir.DataType.FLOAT) for value in node.outputs):
        return "it computes no float32"
    if operator == "Clip" and any(
        constant(value) is None for value in node.inputs[1:] if value is not None
    ):
        return "a Clip with computed limits has no integer kernel"
    return ""


def _computed(node: ir.Node) -> list[ir.Value]:
    """The inputs that are neither constant nor sizes; for those that go along, the first."""
    inputs = [operand(node, 0)] if node.op_type in FOLLOWING else list(node.inputs)
    return [value for value in inputs if value is not None and constant(value) is None]


def _source(value: ir.Value, along: Mapping[str, str]) -> str:
    """The node that a value is computed by; a network input stands for itself."""
    producer = value.producer()
    if producer is None:
        return f"input {value.name}"
    name = str(producer.name)
    return along.get(name, name)
