"""The network's weights: a caffemodel in protobuf's wire format, without protobuf.

Only name, type, bottom, top and blobs are written. Layer parameters stay in the prototxt: forks
of Caffe number their fields differently, but name them alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from npukit.arrays import F32
from npukit_convert.onnx_to_caffe.net import CaffeNet, Layer

# Field numbers of caffe.proto (BVLC Caffe 1.0): NetParameter, LayerParameter, BlobProto, BlobShape.
_NET_NAME, _NET_LAYER = 1, 100
_LAYER_NAME, _LAYER_TYPE, _LAYER_BOTTOM, _LAYER_TOP, _LAYER_BLOBS = 1, 2, 3, 4, 7
_BLOB_DATA, _BLOB_SHAPE = 5, 7
_SHAPE_DIM = 1
_BYTES = 2  # wire type: length-delimited


def write_caffemodel(net: CaffeNet, file: BinaryIO) -> None:
    """Write the weights of a network; floats go to the file as they lie in memory."""
    file.write(_string(_NET_NAME, net.name))
    for layer in net.layers:
        parts = list(_layer(layer))
        file.write(_head(_NET_LAYER, sum(len(part) for part in parts)))
        for part in parts:
            file.write(part)


def _layer(layer: Layer) -> Iterator[bytes | memoryview]:
    yield _string(_LAYER_NAME, layer.name)
    yield _string(_LAYER_TYPE, layer.type)
    yield from (_string(_LAYER_BOTTOM, name) for name in layer.bottoms)
    yield from (_string(_LAYER_TOP, name) for name in layer.tops)
    for blob in layer.blobs:
        yield from _blob(blob)


def _blob(blob: F32) -> Iterator[bytes | memoryview]:
    dims = b"".join(_varint(size) for size in blob.shape)
    size = _head(_SHAPE_DIM, len(dims)) + dims
    start = _head(_BLOB_SHAPE, len(size)) + size + _head(_BLOB_DATA, blob.nbytes)
    yield _head(_LAYER_BLOBS, len(start) + blob.nbytes) + start
    yield np.ascontiguousarray(blob, "<f4").reshape(-1).view(np.uint8).data


def _string(field: int, text: str) -> bytes:
    data = text.encode()
    return _head(field, len(data)) + data


def _head(field: int, length: int) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(length)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
