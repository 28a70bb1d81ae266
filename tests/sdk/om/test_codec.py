"""The wire format and the messages, against the protobuf library."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ge_proto

from npukit.om import wire
from npukit.om.codec import decode, encode
from npukit.om.messages import (
    LIST_TYPES,
    SCHEMA,
    AttrDef,
    GraphDef,
    ListValue,
    ModelDef,
    NamedAttrs,
    OpDef,
    ShapeDef,
    TensorDef,
    TensorDescriptor,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
TEXTS = st.text(max_size=5)
CONTENT = st.binary(max_size=5).map(memoryview)


def few(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


def make(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Messages with these fields alone: `st.builds` fills the others too."""
    return st.fixed_dictionaries(fields).map(lambda given: kind(**given))


descriptors = make(
    TensorDescriptor, name=TEXTS, dtype=st.integers(0, 40), layout=TEXTS, size=INT64,
    shape=st.none() | make(ShapeDef, dim=few(INT64)), output_tensor=st.booleans(),
    data_offset=INT64,
)  # fmt: skip
simple = st.one_of(
    make(AttrDef, i=INT64),
    make(AttrDef, f=FLOAT32),
    make(AttrDef, b=st.booleans()),
    make(AttrDef, s=CONTENT),
    make(AttrDef, bt=CONTENT),
    make(AttrDef, dt=INT64),
    make(AttrDef),
    make(AttrDef, t=make(TensorDef, desc=descriptors, data=CONTENT)),
    make(
        AttrDef,
        list=make(ListValue, i=few(INT64), f=few(FLOAT32), b=few(st.booleans()),
                       s=few(CONTENT), td=few(descriptors), val_type=st.integers(0, 10)),
    ),
)  # fmt: skip
attrs = st.dictionaries(TEXTS, simple, max_size=3)
functions = make(AttrDef, func=make(NamedAttrs, name=TEXTS, attr=attrs))
operators = make(
    OpDef, name=TEXTS, type=TEXTS, input=few(TEXTS), attr=attrs, id=INT64, src_index=few(INT64),
    is_input_const=few(st.booleans()), input_desc=few(descriptors),
)  # fmt: skip
models = make(
    ModelDef, name=TEXTS, version=st.integers(0, 2**32 - 1), custom_version=TEXTS,
    graph=few(make(GraphDef, name=TEXTS, op=few(operators), attr=attrs)),
    attr=st.dictionaries(TEXTS, simple | functions, max_size=3),
)  # fmt: skip


@settings(max_examples=60)
@given(models)
def test_the_protobuf_library_reads_and_writes_the_same(model: ModelDef) -> None:
    content = encode(model)
    theirs = ge_proto.ModelDef.FromString(content)
    assert ge_proto.unknown_fields(theirs) == 0
    assert theirs.name == model.name
    assert [len(graph.op) for graph in theirs.graph] == [len(graph.op) for graph in model.graph]
    assert decode(ModelDef, memoryview(content)) == model
    assert decode(ModelDef, memoryview(theirs.SerializeToString())) == model
    # Maps may come in another order.
    assert sorted(theirs.SerializeToString()) == sorted(content)


def test_the_field_numbers_are_those_of_the_protobuf_description() -> None:
    assert {kind.__name__ for kind in SCHEMA} == set(ge_proto.FIELDS)
    for kind, table in SCHEMA.items():
        own = {field.name: number for number, field in table.items()}
        assert own == ge_proto.numbers(kind.__name__)
        assert set(own) == set(kind._fields)  # type: ignore[attr-defined]
    kinds = ge_proto.numbers("ListValue").keys() - {"val_type"}
    assert kinds == LIST_TYPES.keys()


def test_numbers_may_be_packed_or_not() -> None:
    packed = wire.put_bytes(1, b"\x05" + wire.varint(-1) + b"\x07")
    single = [wire.put_varint(1, value) for value in (5, -1, 7)]
    for parts in (packed, single, [*single[:1], *wire.put_bytes(1, wire.varint(-1) + b"\x07")]):
        assert decode(ShapeDef, memoryview(b"".join(parts))) == ShapeDef((5, -1, 7))
    value = decode(ListValue, memoryview(wire.put_float(4, 1.5) + wire.put_float(4, -2.0)))
    assert value.f == (1.5, -2.0)


def test_unknown_fields_are_skipped_and_the_last_of_two_counts() -> None:
    parts = [
        *wire.put_bytes(99, b"later"), wire.put_varint(98, 7), wire.put_float(97, 1.0),
        wire.varint(96 << 3 | wire.FIXED64) + bytes(8),
        *wire.put_bytes(1, b"one"), *wire.put_bytes(1, b"two"),
    ]  # fmt: skip
    assert decode(ModelDef, memoryview(b"".join(parts))) == ModelDef(name="two")


def test_text_that_is_no_utf8_is_kept_readable() -> None:
    model = decode(ModelDef, memoryview(b"".join(wire.put_bytes(1, b"net\xff1"))))
    assert model.name == "net\ufffd1"


@given(st.integers(-(2**63), 2**64 - 1))
def test_a_varint_comes_back(value: int) -> None:
    content = wire.varint(value)
    assert len(content) <= 10
    found, at = wire.read_varint(memoryview(b"\xff" + content + b"\0"), 1)
    assert (found, at) == (value % 2**64, 1 + len(content))
    assert wire.signed(found) == (value if value < 2**63 else value - 2**64)


@pytest.mark.parametrize(
    "content",
    [
        b"\x0a", b"\x0a\x05abcd", b"\x80", b"\xff" * 11, b"\x10", b"\x00\x01", b"\x06", b"\x0b",
        b"\x0c", b"\x0f", b"\x0d\x01\x02\x03", b"\x09" + bytes(7), b"\x0a" + b"\xff" * 9 + b"\x01",
        b"\x08\x01", b"\x12\x00", b"\x3a\x02\x32\x05", b"\x5a\x02\x10\x01", b"\x5a\x03\x12\x01\x0a",
    ],
    ids=bytes.hex,
)  # fmt: skip
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(wire.WireError):
        decode(ModelDef, memoryview(content))


def test_floats_of_a_broken_size_are_refused() -> None:
    with pytest.raises(wire.WireError, match="7 bytes of float32"):
        decode(ListValue, memoryview(b"".join(wire.put_bytes(4, bytes(7)))))


def test_messages_are_nested_a_hundred_deep_and_no_deeper() -> None:
    def nested(depth: int) -> bytes:
        content = b""
        for _ in range(depth // 2):  # an attribute is a list of functions with an attribute ...
            content = b"".join(wire.put_bytes(13, *wire.put_bytes(11, *wire.put_bytes(2, content))))
        return content

    assert decode(AttrDef, memoryview(nested(96))).g is not None
    with pytest.raises(wire.WireError, match="nested deeper than 100"):
        decode(AttrDef, memoryview(nested(110)))
    with pytest.raises(wire.WireError, match="nested deeper than 100"):
        decode(AttrDef, memoryview(nested(40_000)))


def test_a_float_that_float32_does_not_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        encode(AttrDef(f=1e300))
    assert math.isinf(decode(AttrDef, memoryview(encode(AttrDef(f=math.inf)))).f or 0)
