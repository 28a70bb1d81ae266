"""Small Caffe networks for tests: a writer of caffemodels that shares nothing with the product's.

Fields: NetParameter {1: name, 100: layer {1: name, 2: type, 7: blobs {7: shape {1: packed int64},
5: packed float32}}}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

INPUT = 'layer { name: "%s" type: "Input" top: "%s" input_param { shape { %s } } }\n'


def write_net(
    folder: Path, text: str, weights: Mapping[str, tuple[str, Sequence[Any]]], name: str = "net"
) -> Path:
    """Write both files; the path of the prototxt.

    Args:
        folder: to write into.
        text: of the prototxt.
        weights: type and blobs by layer name.
        name: of the files.
    """
    path = folder / f"{name}.prototxt"
    path.write_text(text, "utf-8")
    path.with_suffix(".caffemodel").write_bytes(caffemodel(weights))
    return path


def caffemodel(weights: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
    """The bytes of a caffemodel."""
    layers = (
        field(1, name.encode()) + field(2, kind.encode())
        + b"".join(field(7, blob(values)) for values in blobs)
        for name, (kind, blobs) in weights.items()
    )  # fmt: skip
    return field(1, b"net") + b"".join(field(100, layer) for layer in layers)


def input_layer(name: str, *shape: int) -> str:
    """The text of an input."""
    return INPUT % (name, name, " ".join(f"dim: {side}" for side in shape))


def blob(values: Any) -> bytes:
    """A BlobProto."""
    array = np.asarray(values, "<f4")
    return field(7, field(1, b"".join(map(varint, array.shape)))) + field(5, array.tobytes())


def field(number: int, data: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F)
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
