"""What a .caffemodel holds, read from its bytes: layers and the shapes of their blobs.

Fields are those of `NetParameter`, `LayerParameter` and `BlobProto` in BVLC Caffe's caffe.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from npukit.om import wire
from npukit_convert.errors import ExecutionError

_NAME, _TYPE, _BLOBS, _LAYER, _OLD_LAYER = 1, 2, 7, 100, 2
_SHAPE, _DATA, _DOUBLES, _OLD_SIDES = 7, 5, 8, (1, 2, 3, 4)


class StoredLayer(NamedTuple):
    """A layer of the file.

    Attributes:
        type: empty where the file does not say it.
        blobs: shapes.
    """

    name: str
    type: str
    blobs: tuple[tuple[int, ...], ...]


def read_caffemodel(data: bytes, where: str) -> dict[str, StoredLayer]:
    """The layers by name.

    Raises:
        ExecutionError: the file is cut short, of another kind or an old version, or a blob's
            number of values is not what its shape says.
    """
    layers: dict[str, StoredLayer] = {}
    try:
        for number, _, value in wire.fields(memoryview(data)):
            if number == _OLD_LAYER and isinstance(value, memoryview):
                raise ExecutionError(
                    "the caffemodel is of Caffe's old format (V1)",
                    where=where,
                    hint="upgrade it with Caffe's upgrade_net_proto_binary",
                )
            if number == _LAYER:
                layer = _layer(_bytes(value))
                layers[layer.name] = layer
    except (IndexError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise ExecutionError(
            f"not a caffemodel, or cut short ({len(data)} bytes): {error}",
            where=where,
            hint="copy the file again, or make it anew",
        ) from error
    return layers


def _layer(data: memoryview) -> StoredLayer:
    name = kind = ""
    blobs = []
    for number, _, value in wire.fields(data):
        if number == _NAME:
            name = str(_bytes(value), "utf-8")
        elif number == _TYPE:
            kind = str(_bytes(value), "utf-8")
        elif number == _BLOBS:
            blobs.append(_bytes(value))
    return StoredLayer(name, kind, tuple(_blob(blob, name) for blob in blobs))


def _blob(data: memoryview, layer: str) -> tuple[int, ...]:
    shape: tuple[int, ...] | None = None
    old, count = [], 0
    for number, _, value in wire.fields(data):
        if number == _SHAPE:
            shape = tuple(_dims(_bytes(value)))
        elif number in _OLD_SIDES and isinstance(value, int):
            old.append(value)
        elif number in (_DATA, _DOUBLES):
            width = 4 if number == _DATA else 8
            count += len(_bytes(value)) // width  # one value, when it is not packed
    found = tuple(old) if shape is None else shape
    if prod(found) != count:
        raise ValueError(f"a blob of {layer} has shape {found} but {count} values")
    return found


def _dims(data: memoryview) -> Iterator[int]:
    for _, _, value in wire.fields(data):
        if isinstance(value, int):
            yield value
        else:
            yield from wire.read_varints(value)


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes were expected")
    return value
