"""`ge.proto` for the protobuf library: the messages of an offline model by their field numbers.

Written from the numbers alone, apart from npukit's own table, so that the two check each other.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.unknown_fields import UnknownFieldSet

# A star is a repeated field; "attrs" a map from text to AttrDef; a capital letter a message.
FIELDS = {
    "ShapeDef": "dim 1 int64*",
    "TensorDef": "desc 1 TensorDescriptor, data 2 bytes",
    "NamedAttrs": "name 1 string, attr 2 attrs",
    "ListValue": "s 2 bytes*, i 3 int64*, f 4 float*, b 5 bool*, bt 7 bytes*, "
    "td 8 TensorDescriptor*, t 9 TensorDef*, g 10 GraphDef*, na 11 NamedAttrs*, dt 12 int64*, "
    "val_type 20 int32",
    "AttrDef": "list 1 ListValue, s 2 bytes, i 3 int64, f 4 float, b 5 bool, bt 7 bytes, "
    "func 10 NamedAttrs, td 11 TensorDescriptor, t 12 TensorDef, g 13 GraphDef, dt 15 int64",
    "TensorDescriptor": "name 1 string, dtype 2 int32, shape 3 ShapeDef, layout 4 string, "
    "attr 5 attrs, has_out_attr 9 bool, size 10 int64, weight_size 11 int64, "
    "reuse_input 12 bool, output_tensor 13 bool, device_type 14 string, input_tensor 15 bool, "
    "real_dim_cnt 16 int64, reuse_input_index 17 int64, data_offset 18 int64, "
    "cmps_size 19 int64, cmps_tab 20 string, cmps_tab_offset 21 int64",
    "OpDef": "name 1 string, type 2 string, input 5 string*, attr 10 attrs, "
    "has_out_attr 20 bool, id 21 int64, stream_id 22 int64, input_name 23 string*, "
    "src_name 24 string*, src_index 25 int64*, dst_name 26 string*, dst_index 27 int64*, "
    "input_i 28 int64*, output_i 29 int64*, workspace 30 int64*, workspace_bytes 31 int64*, "
    "is_input_const 32 bool*, input_desc 33 TensorDescriptor*, "
    "output_desc 34 TensorDescriptor*, subgraph_name 35 string*",
    "GraphDef": "name 1 string, input 4 string*, output 5 string*, op 6 OpDef*, attr 11 attrs",
    "ModelDef": "name 1 string, version 2 uint32, custom_version 3 string, graph 7 GraphDef*, "
    "attr 11 attrs",
}
_PROTO = descriptor_pb2.FieldDescriptorProto
_ONE_OF = "AttrDef"


def numbers(message: str) -> dict[str, int]:
    """Field numbers of a message by name."""
    return {name: int(number) for name, number, _ in map(str.split, FIELDS[message].split(", "))}


def _make() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="ge.proto", package="ge", syntax="proto3")
    for name, text in FIELDS.items():
        message = file.message_type.add(name=name)
        if name == _ONE_OF:
            message.oneof_decl.add(name="value")
        for item in text.split(", "):
            _add(message, *item.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ge.ModelDef"))


def _add(message: Any, name: str, number: str, kind: str) -> None:
    field = message.field.add(name=name, number=int(number))
    many, kind = kind.endswith("*") or kind == "attrs", kind.rstrip("*")
    field.label = _PROTO.LABEL_REPEATED if many else _PROTO.LABEL_OPTIONAL
    if kind == "attrs":
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=_PROTO.TYPE_STRING, label=1)
        entry.field.add(
            name="value", number=2, type=_PROTO.TYPE_MESSAGE, type_name=".ge.AttrDef", label=1
        )
        field.type, field.type_name = _PROTO.TYPE_MESSAGE, f".ge.{message.name}.{entry.name}"
    elif kind[0].isupper():
        field.type, field.type_name = _PROTO.TYPE_MESSAGE, f".ge.{kind}"
    else:
        field.type = getattr(_PROTO, f"TYPE_{kind.upper()}")
    if message.name == _ONE_OF:
        field.oneof_index = 0


ModelDef = _make()


def unknown_fields(message: Any) -> int:
    """How many fields of a message, and of those within it, its description does not have."""
    found = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner = [value[key] for key in value]
        else:
            inner = list(value) if field.is_repeated else [value]
        found += sum(unknown_fields(item) for item in inner if hasattr(item, "ListFields"))
    return found
