"""The messages of `ge.proto` that an offline model is made of, and their field numbers.

Source: the field numbers that Netron's reader (source/om-proto.js) has, checked on a compiled file.
An attribute without a value is what the vendor's compiler writes for zero, false and "".
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Union

# What a field holds; a message class stands for itself. An ATTRS field is a map<string, AttrDef>.
INT, BOOL, FLOAT, TEXT, BYTES, ATTRS = "int", "bool", "float", "text", "bytes", "attrs"


class ShapeDef(NamedTuple):
    """The axes of a tensor; -1 stands for one that is not known."""

    dim: Tuple[int, ...] = ()


class TensorDescriptor(NamedTuple):
    """A tensor's type, shape and place.

    Attributes:
        dtype: a number of `DTYPES`.
        layout: NCHW, NHWC, NC1HWC0, FRACTAL_Z, ...
        size: bytes that the device reserves for it; of a model's input, bytes that it takes.
        weight_size: bytes of a constant in the weights partition, from `data_offset` on.
    """

    name: str = ""
    dtype: int = 0
    shape: Optional[ShapeDef] = None
    layout: str = ""
    attr: Mapping[str, AttrDef] = {}
    has_out_attr: bool = False
    size: int = 0
    weight_size: int = 0
    reuse_input: bool = False
    output_tensor: bool = False
    device_type: str = ""
    input_tensor: bool = False
    real_dim_cnt: int = 0
    reuse_input_index: int = 0
    data_offset: int = 0
    cmps_size: int = 0
    cmps_tab: str = ""
    cmps_tab_offset: int = 0

    @property
    def dims(self) -> Tuple[int, ...]:
        """The shape's axes; none where it is not known."""
        return () if self.shape is None else self.shape.dim


class TensorDef(NamedTuple):
    """A tensor's description and, where they do not lie in the weights partition, its bytes."""

    desc: Optional[TensorDescriptor] = None
    data: memoryview = memoryview(b"")


class NamedAttrs(NamedTuple):
    """Attributes under a name."""

    name: str = ""
    attr: Mapping[str, AttrDef] = {}


class ListValue(NamedTuple):
    """A list of values, all in the one field that `val_type` (of `LIST_TYPES`) names."""

    s: Tuple[memoryview, ...] = ()
    i: Tuple[int, ...] = ()
    f: Tuple[float, ...] = ()
    b: Tuple[bool, ...] = ()
    bt: Tuple[memoryview, ...] = ()
    td: Tuple[TensorDescriptor, ...] = ()
    t: Tuple[TensorDef, ...] = ()
    g: Tuple[GraphDef, ...] = ()
    na: Tuple[NamedAttrs, ...] = ()
    dt: Tuple[int, ...] = ()
    val_type: int = 0


class AttrDef(NamedTuple):
    """An attribute: at most one of the fields is there."""

    list: Optional[ListValue] = None
    s: Optional[memoryview] = None
    i: Optional[int] = None
    f: Optional[float] = None
    b: Optional[bool] = None
    bt: Optional[memoryview] = None
    func: Optional[NamedAttrs] = None
    td: Optional[TensorDescriptor] = None
    t: Optional[TensorDef] = None
    g: Optional[GraphDef] = None
    dt: Optional[int] = None


class OpDef(NamedTuple):
    """An operator.

    Attributes:
        input: "operator:output" of each input; ":-1" is an order without data.
    """

    name: str = ""
    type: str = ""
    input: Tuple[str, ...] = ()
    attr: Mapping[str, AttrDef] = {}
    has_out_attr: bool = False
    id: int = 0
    stream_id: int = 0
    input_name: Tuple[str, ...] = ()
    src_name: Tuple[str, ...] = ()
    src_index: Tuple[int, ...] = ()
    dst_name: Tuple[str, ...] = ()
    dst_index: Tuple[int, ...] = ()
    input_i: Tuple[int, ...] = ()
    output_i: Tuple[int, ...] = ()
    workspace: Tuple[int, ...] = ()
    workspace_bytes: Tuple[int, ...] = ()
    is_input_const: Tuple[bool, ...] = ()
    input_desc: Tuple[TensorDescriptor, ...] = ()
    output_desc: Tuple[TensorDescriptor, ...] = ()
    subgraph_name: Tuple[str, ...] = ()


class GraphDef(NamedTuple):
    """A graph of operators."""

    name: str = ""
    input: Tuple[str, ...] = ()
    output: Tuple[str, ...] = ()
    op: Tuple[OpDef, ...] = ()
    attr: Mapping[str, AttrDef] = {}


class ModelDef(NamedTuple):
    """The model definition: one graph in all files seen, and the model's attributes."""

    name: str = ""
    version: int = 0
    custom_version: str = ""
    graph: Tuple[GraphDef, ...] = ()
    attr: Mapping[str, AttrDef] = {}


class Field(NamedTuple):
    """A field of a message: its name, what it holds, and whether it is repeated."""

    name: str
    kind: Union[str, type]
    many: bool = False


def _table(**numbers: Tuple[Any, ...]) -> Dict[int, Field]:
    return {item[0]: Field(name, *item[1:]) for name, item in numbers.items()}


_MANY = True
SCHEMA: Dict[type, Dict[int, Field]] = {
    ShapeDef: _table(dim=(1, INT, _MANY)),
    TensorDescriptor: _table(
        name=(1, TEXT), dtype=(2, INT), shape=(3, ShapeDef), layout=(4, TEXT), attr=(5, ATTRS),
        has_out_attr=(9, BOOL), size=(10, INT), weight_size=(11, INT), reuse_input=(12, BOOL),
        output_tensor=(13, BOOL), device_type=(14, TEXT), input_tensor=(15, BOOL),
        real_dim_cnt=(16, INT), reuse_input_index=(17, INT), data_offset=(18, INT),
        cmps_size=(19, INT), cmps_tab=(20, TEXT), cmps_tab_offset=(21, INT),
    ),
    TensorDef: _table(desc=(1, TensorDescriptor), data=(2, BYTES)),
    NamedAttrs: _table(name=(1, TEXT), attr=(2, ATTRS)),
    ListValue: _table(
        s=(2, BYTES, _MANY), i=(3, INT, _MANY), f=(4, FLOAT, _MANY), b=(5, BOOL, _MANY),
        bt=(7, BYTES, _MANY), td=(8, TensorDescriptor, _MANY), t=(9, TensorDef, _MANY),
        g=(10, GraphDef, _MANY), na=(11, NamedAttrs, _MANY), dt=(12, INT, _MANY),
        val_type=(20, INT),
    ),
    AttrDef: _table(
        list=(1, ListValue), s=(2, BYTES), i=(3, INT), f=(4, FLOAT), b=(5, BOOL), bt=(7, BYTES),
        func=(10, NamedAttrs), td=(11, TensorDescriptor), t=(12, TensorDef), g=(13, GraphDef),
        dt=(15, INT),
    ),
    OpDef: _table(
        name=(1, TEXT), type=(2, TEXT), input=(5, TEXT, _MANY), attr=(10, ATTRS),
        has_out_attr=(20, BOOL), id=(21, INT), stream_id=(22, INT), input_name=(23, TEXT, _MANY),
        src_name=(24, TEXT, _MANY), src_index=(25, INT, _MANY), dst_name=(26, TEXT, _MANY),
        dst_index=(27, INT, _MANY), input_i=(28, INT, _MANY), output_i=(29, INT, _MANY),
        workspace=(30, INT, _MANY), workspace_bytes=(31, INT, _MANY),
        is_input_const=(32, BOOL, _MANY), input_desc=(33, TensorDescriptor, _MANY),
        output_desc=(34, TensorDescriptor, _MANY), subgraph_name=(35, TEXT, _MANY),
    ),
    GraphDef: _table(
        name=(1, TEXT), input=(4, TEXT, _MANY), output=(5, TEXT, _MANY), op=(6, OpDef, _MANY),
        attr=(11, ATTRS),
    ),
    ModelDef: _table(
        name=(1, TEXT), version=(2, INT), custom_version=(3, TEXT), graph=(7, GraphDef, _MANY),
        attr=(11, ATTRS),
    ),
}  # fmt: skip

LIST_TYPES = {"s": 1, "i": 2, "f": 3, "b": 4, "bt": 5, "td": 6, "t": 7, "g": 8, "na": 9, "dt": 10}

# numpy's names where it has the type. Bytes of an element; None where that is not whole or known.
DTYPES: Dict[int, Tuple[str, Optional[int]]] = {
    0: ("undefined", None), 1: ("float32", 4), 2: ("float16", 2), 3: ("int8", 1), 4: ("uint8", 1),
    5: ("int16", 2), 6: ("uint16", 2), 7: ("int32", 4), 8: ("int64", 8), 9: ("uint32", 4),
    10: ("uint64", 8), 11: ("bool", 1), 12: ("float64", 8), 13: ("string", None),
    27: ("bfloat16", 2), 28: ("int4", None),
}  # fmt: skip
DTYPE_NUMBERS = {name: number for number, (name, _) in DTYPES.items()}
