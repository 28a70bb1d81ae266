"""The protobuf wire format: fields of a message, read and written without a schema.

Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are not read: proto3 has none.
"""

from __future__ import annotations

import struct
from typing import Iterator, List, Sequence, Tuple, Union

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = Union[int, memoryview]

_LARGEST_FIELD = 2**29 - 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


def fields(view: memoryview) -> Iterator[Tuple[int, int, Value]]:
    """(field number, wire type, value) of each field, in the file's order.

    A varint's value is an int in [0, 2**64); any other's is a slice of `view`, not a copy.

    Raises:
        WireError: a field is cut short or of an unknown wire type.
    """
    at, end = 0, len(view)
    while at < end:
        key, at = read_varint(view, at)
        number, wire = key >> 3, key & 7
        if not 0 < number <= _LARGEST_FIELD:
            raise WireError("field number {} at byte {}".format(number, at))
        if wire == VARINT:
            value, at = read_varint(view, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = read_varint(view, at)
        elif wire == FIXED64:
            size = 8
        elif wire == FIXED32:
            size = 4
        else:
            raise WireError("wire type {} of field {} at byte {}".format(wire, number, at))
        if size > end - at:
            raise WireError(
                "field {} has {} bytes, {} are left at byte {}".format(number, size, end - at, at)
            )
        yield number, wire, view[at : at + size]
        at += size


def read_varint(view: memoryview, at: int) -> Tuple[int, int]:
    """An unsigned varint of up to 64 bits, and the place after it.

    Raises:
        WireError: it is cut short or longer.
    """
    value = shift = 0
    for byte in view[at : at + 10]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise WireError("a varint is cut short or too long at byte {}".format(at))


def read_varints(view: memoryview) -> Iterator[int]:
    """The values of a packed field.

    Raises:
        WireError: the last one is cut short.
    """
    at = 0
    while at < len(view):
        value, at = read_varint(view, at)
        yield value


def signed(value: int) -> int:
    """An unsigned 64-bit value as int64."""
    return value - 2**64 if value >= 2**63 else value


def floats(view: memoryview) -> Tuple[float, ...]:
    """The values of a packed field of float32.

    Raises:
        WireError: its size is no multiple of four.
    """
    if len(view) % 4:
        raise WireError("{} bytes of float32 values".format(len(view)))
    return struct.unpack("<{}f".format(len(view) // 4), view)


def float_bytes(values: Sequence[float]) -> bytes:
    """The content of a packed field of float32.

    Raises:
        OverflowError: a value is too large for float32.
    """
    return struct.pack("<{}f".format(len(values)), *values)


def varint(value: int) -> bytes:
    """The bytes of an int in [-2**63, 2**64)."""
    rest, parts = value & 0xFFFFFFFFFFFFFFFF, bytearray()
    while rest > 0x7F:
        parts.append(rest & 0x7F | 0x80)
        rest >>= 7
    parts.append(rest)
    return bytes(parts)


def put_varint(number: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(number << 3 | VARINT) + varint(value)


def put_float(number: int, value: float) -> bytes:
    """A field that holds a float32."""
    return varint(number << 3 | FIXED32) + float_bytes((value,))


def put_bytes(number: int, *parts: bytes) -> List[bytes]:
    """A field that holds bytes, text or a message, as parts to join."""
    return [varint(number << 3 | BYTES), varint(sum(map(len, parts))), *parts]
