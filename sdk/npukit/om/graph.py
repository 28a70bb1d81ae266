"""A network's graph in neutral terms, and its form in an offline model."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from npukit.arrays import Array
from npukit.errors import OfflineModelError
from npukit.om.messages import (
    DTYPE_NUMBERS,
    LIST_TYPES,
    AttrDef,
    GraphDef,
    ListValue,
    NamedAttrs,
    OpDef,
    ShapeDef,
    TensorDef,
    TensorDescriptor,
)

Scalar = Union[bool, int, float, str]
Value = Union[Scalar, Sequence[Scalar]]
Aipp = Mapping[str, Union[int, float, bool, Sequence[Union[int, float, bool]]]]

_ALIGNMENT = 512  # of constants in the weights, as in the vendor's files


class OmTensor(NamedTuple):
    """Type and shape of a tensor.

    Attributes:
        dtype: numpy's name, or bfloat16; "undefined" where it is not known.
        shape: None where it is not known, -1 for an axis that is not.
    """

    dtype: str
    shape: Optional[Tuple[int, ...]]


class OmNode(NamedTuple):
    """An operator.

    Attributes:
        type: the vendor's name of it where there is one.
        inputs, outputs: names of tensors; "" for an input that is left out.
    """

    name: str
    type: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attrs: Mapping[str, Value] = {}


class OmGraph(NamedTuple):
    """A network.

    Attributes:
        nodes: in an order in which they can be executed.
        inputs, outputs: names of tensors.
        tensors: type and shape by name; one that is missing is not known.
        weights: constants by name.
    """

    name: str
    nodes: Tuple[OmNode, ...]
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    tensors: Mapping[str, OmTensor]
    weights: Mapping[str, Array] = {}


class Picture(NamedTuple):
    """An input that the device preprocesses: its fields of AIPP, and the bytes that it takes."""

    aipp: Aipp
    nbytes: int


def lower(graph: OmGraph, pictures: Mapping[str, Picture]) -> Tuple[GraphDef, bytes]:
    """The graph as an offline model has it, and the weights partition.

    A picture's `Data` operator takes bytes; an `Aipp` operator behind it gives the tensor.

    Args:
        graph: of the network.
        pictures: by input.

    Raises:
        OfflineModelError: a tensor that nothing gives, or a type that offline models do not have.
    """
    build = _Builder(graph, pictures)
    for name in graph.inputs:
        build.add_input(name)
    for name, array in graph.weights.items():
        build.add_weight(name, array)
    for node in graph.nodes:
        build.add_node(node)
    build.add_outputs()
    return GraphDef(name=graph.name, op=tuple(build.ops)), b"".join(build.weights)


class _Builder:
    """Operators as they are added; each tensor gets the name of the operator that gives it."""

    def __init__(self, graph: OmGraph, pictures: Mapping[str, Picture]) -> None:
        self.ops: List[OpDef] = []
        self.weights: List[bytes] = []
        self._graph, self._pictures = graph, pictures
        self._offset = 0
        self._sources: Dict[str, str] = {}  # "operator:output" of each tensor
        self._known: Dict[str, TensorDescriptor] = {}
        self._names: Dict[str, int] = {}

    def add_input(self, name: str) -> None:
        picture = self._pictures.get(name)
        tensor = self._describe(name)
        op_name = self._unique(name)
        if picture is None:
            self._append(OpDef(op_name, "Data", input_desc=(tensor,), output_desc=(tensor,)), name)
            return
        if len(tensor.dims) != 4:
            raise OfflineModelError(
                "input {!r} {} takes no picture".format(name, tensor.dims), where=self._graph.name
            )
        func = AttrDef(func=NamedAttrs("aipp", _aipp(picture.aipp)))
        taken = tensor._replace(
            dtype=DTYPE_NUMBERS["uint8"],
            layout="NHWC",
            shape=ShapeDef(tuple(tensor.dims[axis] for axis in (0, 2, 3, 1))),
            size=picture.nbytes,
        )
        mode = (
            "static_aipp" if picture.aipp.get("aipp_mode", 1) in (1, [1], (1,)) else "dynamic_aipp"
        )
        attrs = {"aipp": func, "_data_related_aipp_mode": _attr(mode)}
        data = OpDef(op_name, "Data", attr=attrs, input_desc=(taken,), output_desc=(taken,))
        self._append(data, name)
        aipp = OpDef(
            self._unique("{}_{}_huawei_aipp".format(op_name, self._graph.inputs.index(name))),
            "Aipp",
            input=(op_name + ":0",),
            attr={"aipp": func},
            input_desc=(taken,),
            output_desc=(tensor,),
        )
        self._append(aipp, name)

    def add_weight(self, name: str, array: Array) -> None:
        content = np.ascontiguousarray(array).tobytes()
        desc = _descriptor(OmTensor(array.dtype.name, tuple(array.shape)), name)
        placed = desc._replace(weight_size=len(content), data_offset=self._offset)
        self.weights.append(content + bytes(-len(content) % _ALIGNMENT))
        self._offset += len(self.weights[-1])
        attrs = {"value": AttrDef(t=TensorDef(desc=placed))}
        self._known[name] = desc
        op_name = self._unique(name)
        self._append(OpDef(op_name, "Const", attr=attrs, output_desc=(desc,)), name)

    def add_node(self, node: OmNode) -> None:
        op = OpDef(
            self._unique(node.name or node.type),
            node.type,
            input=tuple(self._source(name, node) for name in node.inputs),
            attr={key: _attr(value) for key, value in node.attrs.items()},
            input_desc=tuple(self._describe(name) for name in node.inputs),
            output_desc=tuple(self._describe(name) for name in node.outputs),
        )
        self._append(op, *node.outputs)

    def add_outputs(self) -> None:
        self.add_node(OmNode("Node_Output", "NetOutput", self._graph.outputs, ()))
        given = tuple(
            desc._replace(name=name, output_tensor=True)
            for name, desc in zip(self._graph.outputs, self.ops[-1].input_desc)
        )
        self.ops[-1] = self.ops[-1]._replace(output_desc=given)

    def _append(self, op: OpDef, *outputs: str) -> None:
        self.ops.append(op._replace(id=len(self.ops)))
        for index, name in enumerate(outputs):
            self._sources[name] = "{}:{}".format(op.name, index)

    def _source(self, name: str, node: OmNode) -> str:
        if name and name not in self._sources:
            raise OfflineModelError(
                "nothing gives the tensor {!r}".format(name),
                where="{}, node {}".format(self._graph.name, node.name),
            )
        return self._sources[name] if name else ""

    def _describe(self, name: str) -> TensorDescriptor:
        if name not in self._known:
            tensor = self._graph.tensors.get(name, OmTensor("undefined", None))
            self._known[name] = _descriptor(tensor, name)
        return self._known[name]

    def _unique(self, name: str) -> str:
        """The name, or the first of it with a number that is free."""
        found = name
        while found in self._names:
            self._names[name] += 1
            found = "{}_{}".format(name, self._names[name])
        self._names[found] = 0
        return found


def _descriptor(tensor: OmTensor, name: str) -> TensorDescriptor:
    if tensor.dtype not in DTYPE_NUMBERS:
        raise OfflineModelError(
            "an offline model has no {} tensors".format(tensor.dtype), where=name
        )
    shape = None if tensor.shape is None else ShapeDef(tuple(tensor.shape))
    four = shape is not None and len(shape.dim) == 4
    return TensorDescriptor(
        dtype=DTYPE_NUMBERS[tensor.dtype], shape=shape, layout="NCHW" if four else "ND"
    )


def _aipp(fields: Aipp) -> Dict[str, AttrDef]:
    """One value stands alone, as in the vendor's files."""
    return {
        key: _attr(value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value)
        for key, value in fields.items()
    }


def _attr(value: Value) -> AttrDef:
    if isinstance(value, str):
        return AttrDef(s=_text(value))
    if isinstance(value, bool):
        return AttrDef(b=value)
    if isinstance(value, int):
        return AttrDef(i=value)
    if isinstance(value, float):
        return AttrDef(f=value)
    return AttrDef(list=_list(value))


def _list(values: Sequence[Scalar]) -> ListValue:
    if any(isinstance(item, str) for item in values):
        texts = tuple(_text(str(item)) for item in values)
        return ListValue(s=texts, val_type=LIST_TYPES["s"])
    if values and all(isinstance(item, bool) for item in values):
        return ListValue(b=tuple(bool(item) for item in values), val_type=LIST_TYPES["b"])
    if any(isinstance(item, float) for item in values):
        return ListValue(f=tuple(float(item) for item in values), val_type=LIST_TYPES["f"])
    return ListValue(i=tuple(int(item) for item in values), val_type=LIST_TYPES["i"])


def _text(value: str) -> memoryview:
    return memoryview(value.encode("utf-8"))
