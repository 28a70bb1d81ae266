"""Messages of `ge.proto` from bytes and to bytes, by the table of their fields."""

from __future__ import annotations

from typing import Any, Dict, List, Type, TypeVar

from npukit.om import wire
from npukit.om.messages import ATTRS, BOOL, BYTES, FLOAT, INT, SCHEMA, TEXT, AttrDef, Field
from npukit.om.wire import WireError

_M = TypeVar("_M")

_DEEPEST = 100  # messages within messages, as protobuf's own readers allow

_WIRE = {INT: wire.VARINT, BOOL: wire.VARINT, FLOAT: wire.FIXED32}


def decode(kind: Type[_M], view: memoryview, depth: int = 0) -> _M:
    """A message of a class of `npukit.om.messages`.

    Unknown fields are skipped; of a field given twice the last counts. Bytes stay slices of
    `view`. Text that is no UTF-8 is kept with a mark in place of each wrong byte.

    Raises:
        WireError: the bytes are no such message.
    """
    if depth > _DEEPEST:
        raise WireError("messages are nested deeper than {}".format(_DEEPEST))
    table = SCHEMA[kind]
    found: Dict[str, Any] = {}
    for number, kind_on_wire, value in wire.fields(view):
        field = table.get(number)
        if field is None:
            continue
        try:
            _take(found, field, kind_on_wire, value, depth)
        except WireError as error:
            raise WireError("{}.{}: {}".format(kind.__name__, field.name, error)) from None
    for field in table.values():
        if field.many and field.name in found:
            found[field.name] = tuple(found[field.name])
    return kind(**found)


def _take(found: Dict[str, Any], field: Field, on_wire: int, value: Any, depth: int) -> None:
    if field.kind == ATTRS:
        key, attr = _entry(_slice(on_wire, value), depth)
        found.setdefault(field.name, {})[key] = attr
    elif field.many and on_wire == wire.BYTES and field.kind in _WIRE:
        found.setdefault(field.name, []).extend(_packed(field, value))
    elif field.many:
        found.setdefault(field.name, []).append(_single(field, on_wire, value, depth))
    else:
        found[field.name] = _single(field, on_wire, value, depth)


def _single(field: Field, on_wire: int, value: Any, depth: int) -> Any:
    kind = field.kind
    if kind in _WIRE:
        if on_wire != _WIRE[kind]:
            raise WireError("wire type {}".format(on_wire))
        if kind == FLOAT:
            return wire.floats(value)[0]
        return bool(value) if kind == BOOL else wire.signed(value)
    content = _slice(on_wire, value)
    if kind == TEXT:
        return str(content, "utf-8", "replace")
    if kind == BYTES:
        return content
    return decode(kind, content, depth + 1)  # type: ignore[arg-type]


def _packed(field: Field, value: memoryview) -> Any:
    if field.kind == FLOAT:
        return wire.floats(value)
    convert = bool if field.kind == BOOL else wire.signed
    return map(convert, wire.read_varints(value))


def _entry(view: memoryview, depth: int) -> Any:
    """Key and value of an entry of a map."""
    key, attr = "", AttrDef()
    for number, on_wire, value in wire.fields(view):
        if number == 1:
            key = str(_slice(on_wire, value), "utf-8", "replace")
        elif number == 2:
            attr = decode(AttrDef, _slice(on_wire, value), depth + 1)
    return key, attr


def _slice(on_wire: int, value: Any) -> memoryview:
    if on_wire != wire.BYTES:
        raise WireError("wire type {}".format(on_wire))
    content: memoryview = value
    return content


def encode(message: Any) -> bytes:
    """The bytes of a message: fields by number, maps by key, so equal messages give equal bytes.

    Raises:
        OverflowError: a float is too large for float32.
    """
    parts: List[bytes] = []
    for number, field in sorted(SCHEMA[type(message)].items()):
        value = getattr(message, field.name)
        if isinstance(message, AttrDef):
            if value is not None:  # one of several: a zero counts
                parts += _put(number, field, value)
        elif value is not None and not (isinstance(value, (int, str)) and not value):
            parts += _put_all(number, field, value)
    return b"".join(parts)


def _put_all(number: int, field: Field, value: Any) -> List[bytes]:
    if field.kind == ATTRS:
        entries = (
            wire.put_bytes(1, key.encode("utf-8")) + wire.put_bytes(2, encode(attr))
            for key, attr in sorted(value.items())
        )
        return [part for entry in entries for part in wire.put_bytes(number, *entry)]
    if not field.many:
        return [] if field.kind == BYTES and not len(value) else _put(number, field, value)
    if not value:
        return []
    if field.kind in (INT, BOOL):
        return wire.put_bytes(number, b"".join(wire.varint(int(item)) for item in value))
    if field.kind == FLOAT:
        return wire.put_bytes(number, wire.float_bytes(value))
    return [part for item in value for part in _put(number, field, item)]


def _put(number: int, field: Field, value: Any) -> List[bytes]:
    if field.kind in (INT, BOOL):
        return [wire.put_varint(number, int(value))]
    if field.kind == FLOAT:
        return [wire.put_float(number, value)]
    if field.kind == TEXT:
        return wire.put_bytes(number, value.encode("utf-8"))
    return wire.put_bytes(number, value if field.kind == BYTES else encode(value))
