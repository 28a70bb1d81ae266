"""Protobuf's own parser, given the schema: an independent reading of the text format."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from npukit.aipp.config import AippConfig, AippOp, MultiShapeOp
from npukit.aipp.schema import FieldSpec, Message, schema


@pytest.fixture(scope="session")
def vendor() -> SimpleNamespace:
    """`parse(text)` to a protobuf message; `error` is what it raises."""
    Field = descriptor_pb2.FieldDescriptorProto  # noqa: N806
    file = descriptor_pb2.FileDescriptorProto(name="insert_op.proto", package="d", syntax="proto3")
    for kind in (AippOp, MultiShapeOp, AippConfig):
        message = file.message_type.add(name=kind.__name__)
        for name, spec in schema(kind).items():
            label = Field.LABEL_REPEATED if spec.repeated else Field.LABEL_OPTIONAL
            field = message.field.add(name=name, number=spec.number, label=label)
            field.type = getattr(Field, f"TYPE_{spec.kind.upper()}")
            _refer(file, field, spec)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    whole = message_factory.GetMessageClass(pool.FindMessageTypeByName("d.AippConfig"))
    return SimpleNamespace(
        parse=lambda text: text_format.Parse(text, whole()), error=text_format.ParseError
    )


def _refer(file: Any, field: Any, spec: FieldSpec) -> None:
    if spec.kind == "message":
        assert issubclass(spec.type, Message)
        field.type_name = f".d.{spec.type.__name__}"
    elif spec.kind == "enum":
        field.type_name = f".d.{spec.type.__name__}"
        if spec.type.__name__ not in [item.name for item in file.enum_type]:
            enum = file.enum_type.add(name=spec.type.__name__)
            for member in spec.type:
                enum.value.add(name=member.name, number=int(member))
