"""The files, read with protobuf and a schema built from Caffe's field numbers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import given
from hypothesis import strategies as st

from npukit_convert.onnx_to_caffe.caffemodel import write_caffemodel
from npukit_convert.onnx_to_caffe.net import CaffeNet, Layer, Word
from npukit_convert.onnx_to_caffe.prototxt import to_prototxt

_FIELD = descriptor_pb2.FieldDescriptorProto
_MANY, _ONE = _FIELD.LABEL_REPEATED, _FIELD.LABEL_OPTIONAL
_TYPES = {
    "string": _FIELD.TYPE_STRING,
    "int32": _FIELD.TYPE_INT32,
    "uint32": _FIELD.TYPE_UINT32,
    "int64": _FIELD.TYPE_INT64,
    "float": _FIELD.TYPE_FLOAT,
    "bool": _FIELD.TYPE_BOOL,
}
# Field: number and type, with * where it repeats and ! where it is packed too; the numbers are
# those of BVLC Caffe 1.0's caffe.proto.
_SCHEMA = {
    "BlobShape": {"dim": (1, "int64!")},
    "BlobProto": {"shape": (7, "BlobShape"), "data": (5, "float!")},
    "InputParameter": {"shape": (1, "BlobShape*")},
    "ReshapeParameter": {"shape": (1, "BlobShape")},
    "PowerParameter": {"power": (1, "float"), "scale": (2, "float"), "shift": (3, "float")},
    "EltwiseParameter": {"operation": (1, "EltwiseOp"), "coeff": (2, "float*")},
    "SliceParameter": {"axis": (3, "int32"), "slice_point": (2, "uint32*")},
    "BatchNormParameter": {"use_global_stats": (1, "bool"), "eps": (3, "float")},
    "LayerParameter": {
        "name": (1, "string"),
        "type": (2, "string"),
        "bottom": (3, "string*"),
        "top": (4, "string*"),
        "blobs": (7, "BlobProto*"),
        "eltwise_param": (110, "EltwiseParameter"),
        "power_param": (122, "PowerParameter"),
        "slice_param": (126, "SliceParameter"),
        "reshape_param": (133, "ReshapeParameter"),
        "batch_norm_param": (139, "BatchNormParameter"),
        "input_param": (143, "InputParameter"),
    },
    "NetParameter": {"name": (1, "string"), "layer": (100, "LayerParameter*")},
}


def _schema() -> type[Any]:
    """NetParameter, in a pool of its own: another caffe.proto in the process does not clash."""
    file = descriptor_pb2.FileDescriptorProto(name="writers.proto", package="c", syntax="proto2")
    words = file.enum_type.add(name="EltwiseOp")
    for number, word in enumerate(("PROD", "SUM", "MAX")):
        words.value.add(name=word, number=number)
    for message, fields in _SCHEMA.items():
        made = file.message_type.add(name=message)
        for name, (number, text) in fields.items():
            kind, many, packed = text.rstrip("*!"), text[-1] in "*!", text[-1] == "!"
            field = made.field.add(name=name, number=number, label=_MANY if many else _ONE)
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type = _FIELD.TYPE_ENUM if kind == "EltwiseOp" else _FIELD.TYPE_MESSAGE
                field.type_name = f".c.{kind}"
            if packed:
                field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("c.NetParameter"))


NetParameter = _schema()
WEIGHTS = np.array([[0.1, -0.0, 3.4e38], [1e-45, np.pi, -2.5e-39]], np.float32)


def _net(weights: np.ndarray[Any, np.dtype[np.float32]] = WEIGHTS) -> CaffeNet:
    layers = (
        Layer("a", "InnerProduct", ("x",), ("a",), blobs=(weights, np.ones(2, np.float32))),
        Layer("e", "Eltwise", ("a", "a"), ("e",),
              {"eltwise_param": {"operation": Word("SUM"), "coeff": [1.0, -0.1]}}),
        Layer("p", "Power", ("e",), ("p",), {"power_param": {"power": 1.0, "scale": 1 / 3}}),
        Layer("r", "Reshape", ("p",), ("r",), {"reshape_param": {"shape": [0, -1, 2]}}),
        Layer("s", "Slice", ("r",), ("s", "t"), {"slice_param": {"axis": 1, "slice_point": [1]}}),
        Layer("n", "BatchNorm", ("s",), ("n",), {"batch_norm_param": {"use_global_stats": True}}),
    )  # fmt: skip
    return CaffeNet('a "net"\\1', {"x": (1, 3)}, layers, {}, {}, {})


def _binary(net: CaffeNet) -> Any:
    file = io.BytesIO()
    write_caffemodel(net, file)
    return NetParameter.FromString(file.getvalue())


def test_the_caffemodel_holds_names_and_weights_to_the_bit() -> None:
    net = _net()
    found = _binary(net)
    assert found.name == net.name
    assert [
        (one.name, one.type, tuple(one.bottom), tuple(one.top), len(one.blobs))
        for one in found.layer
    ] == [(one.name, one.type, one.bottoms, one.tops, len(one.blobs)) for one in net.layers]
    blob = found.layer[0].blobs[0]
    assert list(blob.shape.dim) == [2, 3]
    assert np.array(blob.data, np.float32).tobytes() == WEIGHTS.tobytes()
    assert not found.layer[2].HasField("power_param")


def test_what_the_caffemodel_holds_is_all_known() -> None:
    found = _binary(_net())
    data = found.SerializeToString()
    found.DiscardUnknownFields()
    assert found.SerializeToString() == data


def test_weights_that_do_not_lie_row_by_row_are_written_row_by_row() -> None:
    weights = np.asfortranarray(WEIGHTS)
    found = np.array(_binary(_net(weights)).layer[0].blobs[0].data, np.float32)
    assert found.tobytes() == WEIGHTS.tobytes()


@given(st.lists(st.integers(1, 300), min_size=0, max_size=4).filter(lambda s: np.prod(s) < 1e5))
def test_blobs_of_any_shape(size: list[int]) -> None:
    weights = np.arange(np.prod(size), dtype=np.float32).reshape(size)
    blob = _binary(_net(weights)).layer[0].blobs[0]
    assert list(blob.shape.dim) == size
    assert np.array_equal(np.array(blob.data, np.float32), weights.reshape(-1))


def test_the_prototxt_says_the_same_network() -> None:
    net = _net()
    found = text_format.Parse(to_prototxt(net), NetParameter())
    assert found.name == net.name
    first = found.layer[0]
    assert (first.type, first.name, list(first.top)) == ("Input", "x", ["x"])
    assert list(first.input_param.shape[0].dim) == [1, 3]
    layers = {one.name: one for one in found.layer}
    assert layers["e"].eltwise_param.operation == 1
    assert list(layers["e"].eltwise_param.coeff) == [1.0, np.float32(-0.1)]
    assert list(layers["r"].reshape_param.shape.dim) == [0, -1, 2]
    assert list(layers["s"].slice_param.slice_point) == [1]
    assert list(layers["s"].top) == ["s", "t"]
    assert layers["n"].batch_norm_param.use_global_stats is True
    assert [one.name for one in found.layer[1:]] == [one.name for one in net.layers]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_of_the_prototxt_are_float32_to_the_bit(number: float) -> None:
    layer = Layer("p", "Power", ("x",), ("p",), {"power_param": {"shift": number}})
    text = to_prototxt(CaffeNet("n", {"x": (1,)}, (layer,), {}, {}, {}))
    found = text_format.Parse(text, NetParameter()).layer[1].power_param.shift
    assert np.float32(found).tobytes() == np.float32(number).tobytes()


@pytest.mark.parametrize("name", ["a b", 'quo"te', "back\\slash", "ümlaut"])
def test_names_are_quoted(name: str) -> None:
    text = to_prototxt(CaffeNet(name, {}, (), {}, {}, {}))
    assert text_format.Parse(text, NetParameter()).name == name
