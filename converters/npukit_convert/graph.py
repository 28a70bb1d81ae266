"""ONNX graphs as `onnx_ir` models: reading, writing, and the few edits that passes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray
from onnx_ir.passes.common import (
    LiftConstantsToInitializersPass,
    RemoveUnusedNodesPass,
    ShapeInferencePass,
)

from npukit_convert.errors import ConversionError

Array = NDArray[Any]

OPSET = 13
OWN_DOMAINS = ("", "ai.onnx")


def read_graph(data: bytes, where: str = "", raised: bool = True) -> ir.Model:
    """The graph of ONNX bytes: constants as initializers, shapes inferred.

    Args:
        data: the model.
        where: its name, for messages.
        raised: bring an older opset to `OPSET`, whose forms of the operators all passes know.

    Raises:
        ConversionError: the bytes are no ONNX model, or of an opset that cannot be raised.
    """
    try:
        proto = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf raises many kinds
        raise ConversionError(f"not an ONNX model: {error}", where=where) from error
    if raised:
        proto = _raised(proto, where)
    try:
        model = ir.from_proto(proto)
    except Exception as error:  # onnx_ir raises many kinds
        raise ConversionError(f"not an ONNX model: {error}", where=where) from error
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    return tidy(model)


def _raised(proto: onnx.ModelProto, where: str) -> onnx.ModelProto:
    version = next(
        (item.version for item in proto.opset_import if item.domain in OWN_DOMAINS), OPSET
    )
    if version >= OPSET:
        return proto
    try:
        return onnx.version_converter.convert_version(proto, OPSET)
    except Exception as error:  # C++ errors come as many kinds
        raise ConversionError(
            f"opset {version} cannot be raised to {OPSET}: {error}",
            where=where,
            hint=f"export the network again with opset_version={OPSET}",
        ) from error


def write_graph(model: ir.Model) -> bytes:
    """The ONNX bytes of a graph."""
    data: bytes = ir.to_proto(model).SerializeToString()
    return data


def tidy(model: ir.Model) -> ir.Model:
    """Drop what nothing uses and infer the shapes of what is new; the model is changed."""
    RemoveUnusedNodesPass()(model)
    ShapeInferencePass()(model)
    return model


def shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """The static shape of a value; None when it is unknown or has a dynamic size."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return tuple(int(size) for size in value.shape)  # type: ignore[arg-type]


def constant(value: ir.Value | None) -> Array | None:
    """The numbers of a constant; None for a value that the network computes."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def scalar(value: ir.Value | None) -> float | None:
    """The number of a constant that holds one only (any rank); None otherwise."""
    array = constant(value)
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """A node's attribute as Python numbers, strings, or tuples of them."""
    found = node.attributes.get(name)
    return default if found is None else found.value


def operand(node: ir.Node, index: int) -> ir.Value | None:
    """An input by its place; None where an optional one is not given."""
    return node.inputs[index] if index < len(node.inputs) else None


def source(node: ir.Node, index: int = 0) -> ir.Value:
    """An input that the operator must have.

    Raises:
        ConversionError: it is not given.
    """
    value = operand(node, index)
    if value is None:
        raise ConversionError(f"{node.op_type} {node.name} has no input {index}")
    return value


def axes_of(node: ir.Node, index: int, rank: int) -> tuple[int, ...]:
    """The axes that an attribute or, in later opsets, an input names; all where none does."""
    given = attribute(node, "axes")
    if given is None and (array := constant(operand(node, index))) is not None:
        given = array.tolist()
    if not given:
        given = () if attribute(node, "noop_with_empty_axes", 0) else range(rank)
    return tuple(sorted(int(axis) % rank for axis in given))


def module_path(node: ir.Node) -> str:
    """Where in the torch module a node came from, such as `/backbone/conv1`; `` if unknown."""
    path, _, _ = (node.name or "").rpartition("/")
    return path


class Rewriter:
    """Puts new nodes in the place of one old node.

    The new nodes stand before the old one in the graph, are named after it, and have inferred
    shapes after `tidy`. Nothing happens to the old node until `replace`.
    """

    def __init__(self, old: ir.Node) -> None:
        graph = old.graph
        if not isinstance(graph, ir.Graph):
            raise TypeError(f"{old.name} stands in no graph")
        self._graph, self._old, self._count = graph, old, 0

    def constant(self, numbers: ArrayLike) -> ir.Value:
        """A new initializer; floats become float32."""
        array = np.asarray(numbers)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        array = np.require(array, requirements="C")  # keeps a single number without dimensions
        value = ir.val(self._new_name("const"), const_value=ir.tensor(array))
        self._graph.register_initializer(value)
        return value

    def add(
        self,
        operator: str,
        inputs: Sequence[ir.Value | None],
        outputs: int = 1,
        **attributes: Any,
    ) -> ir.Value:
        """A new node; its only output, or with `outputs` > 1 its first.

        The others are `value.producer().outputs`. Its shape is that of one run of inference.
        """
        name = self._new_name(operator)
        node = ir.node(
            operator,
            inputs,
            {key: value for key, value in attributes.items() if value is not None},
            outputs=[ir.val(f"{name}_{i}" if i else name) for i in range(outputs)],
            name=name,
        )
        self._graph.insert_before(self._old, node)
        return node.outputs[0]

    def reshape(self, value: ir.Value, size: Sequence[int]) -> ir.Value:
        """The same numbers in another static shape."""
        return self.add("Reshape", [value, self.constant(np.array(size, np.int64))])

    def replace(self, new: ir.Value, index: int = 0) -> None:
        """Let `new` stand wherever the old node's output stood, then drop the old node.

        A network output keeps its name. An old node with several outputs is dropped with the
        last that is replaced.
        """
        old = self._old.outputs[index]
        if new.shape is None:
            new.shape = old.shape
        if new.dtype is None and old.dtype is not None:
            new.dtype = old.dtype
        name = old.name
        is_output = old.is_graph_output()
        if is_output and (new.is_graph_input() or new.is_graph_output()):
            new = self.add("Identity", [new])  # these have names of their own to keep
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        if is_output:
            old.name = self._new_name("old")
            new.name = name
        if not any(output.uses() or output.is_graph_output() for output in self._old.outputs):
            self._graph.remove(self._old, safe=True)

    def _new_name(self, what: str) -> str:
        base = self._old.name or self._old.outputs[0].name or "node"
        while True:
            self._count += 1
            name = f"{base}/{what}_{self._count}"
            if name not in self._graph.initializers:
                return name
