"""Caffe's files: what a prototxt and a caffemodel hold, and what is refused."""

from __future__ import annotations

import pytest

from npukit.om import wire
from npukit_convert.caffe_files import CaffeLayer, parse_text, read_caffemodel, read_prototxt
from npukit_convert.errors import ConversionError

PROTOTXT = """
name: "small"  # of the network
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 6
layer {
  name: 'conv' type: "Convolution" bottom: "data" top: "conv"
  convolution_param < num_output: 4 kernel_size: [3, 3] weight_filler { type: "xavier" } >
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "extra" type: "Input" top: "extra" input_param { shape: { dim: 1 dim: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" bottom: "extra" top: "fc" }
"""


def test_a_prototxt() -> None:
    net = read_prototxt(PROTOTXT, "net.prototxt")
    assert net.name == "small"
    assert net.layers[0] == CaffeLayer("conv", "Convolution", ("data",), ("conv",))
    assert [layer.type for layer in net.layers] == ["Convolution", "ReLU", "Input", "InnerProduct"]
    assert net.inputs == {"data": (1, 3, 8, 6), "extra": (1, 2)}
    assert net.outputs == ("fc",)
    assert not net.old_form


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('input: "x" input_shape { dim: 1 dim: 2 }', (1, 2)),
        ('input: "x"', ()),
        ('input: "x" input_shape: [{ dim: [4, 5] }]', (4, 5)),
    ],
)
def test_the_forms_of_an_input(text: str, shape: tuple[int, ...]) -> None:
    assert read_prototxt(text, "net").inputs == {"x": shape}


def test_layers_of_the_old_form() -> None:
    net = read_prototxt('layers { name: "c" type: CONVOLUTION top: "c" }', "net")
    assert net.old_form
    assert net.layers[0].type == "CONVOLUTION"


@pytest.mark.parametrize(
    "text",
    [
        "a", "a {", "}", "a: 1 }", "a: [1", "a: 'x", "{}", "a: ]", '"x"', "a { b: }", "a: \x01'",
        "a { " * 200, "a: 1 [ 2",
    ],
)  # fmt: skip
def test_what_is_no_protobuf_text_is_refused(text: str) -> None:
    with pytest.raises(ConversionError, match=r"net:1: not protobuf text"):
        parse_text(text, "net")


def test_the_line_is_named() -> None:
    with pytest.raises(ConversionError, match=r"net:4: .*\} is out of place"):
        parse_text("a {\n # b }\n}\n}", "net")


def test_a_size_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConversionError, match="no whole number"):
        read_prototxt('input: "x" input_dim: many', "net")


def field(number: int, *parts: bytes) -> bytes:
    return b"".join(wire.put_bytes(number, *parts))


NEW_BLOB = field(7, field(7, field(1, b"\x04\x03\x01\x02")), field(5, bytes(96)))
NEW = field(1, b"small") + field(
    100, field(1, b"conv"), field(2, b"Convolution"), field(3, b"data"), field(4, b"conv"), NEW_BLOB
)
OLD_BLOB = field(6, *[wire.put_varint(place, size) for place, size in enumerate((1, 1, 5, 7), 1)])
OLD = field(
    2, field(4, b"fc"), wire.put_varint(5, 14), field(2, b"data"), field(3, b"fc"), OLD_BLOB
)


def test_a_caffemodel() -> None:
    net = read_caffemodel(memoryview(NEW), "net.caffemodel")
    assert net.name == "small"
    wanted = CaffeLayer("conv", "Convolution", ("data",), ("conv",), ((4, 3, 1, 2),))
    assert net.layers == (wanted,)
    assert net.parameters == 24


def test_a_caffemodel_of_the_old_form() -> None:
    net = read_caffemodel(memoryview(OLD), "net.caffemodel")
    assert net.old_form
    assert net.layers == (CaffeLayer("fc", "INNER_PRODUCT", ("data",), ("fc",), ((1, 1, 5, 7),)),)
    assert net.parameters == 35


def test_a_truncated_caffemodel_is_refused() -> None:
    for length in range(len(field(1, b"small")) + 1, len(NEW)):
        with pytest.raises(ConversionError, match="the caffemodel is damaged"):
            read_caffemodel(memoryview(NEW[:length]), "net.caffemodel")


def test_no_byte_makes_it_fail_otherwise() -> None:
    for whole in (NEW, OLD):
        for place in range(len(whole)):
            for byte in (0, 1, 0x7F, 0x80, 0xFF, whole[place] ^ 1):
                changed = bytearray(whole)
                changed[place] = byte
                try:
                    read_caffemodel(memoryview(changed), "net").parameters  # noqa: B018
                except ConversionError:
                    continue
