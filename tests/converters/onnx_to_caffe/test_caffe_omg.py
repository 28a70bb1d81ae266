"""Each limit of Ascend's compiler: legal at it, refused one past it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from npukit_convert.onnx_to_caffe.net import Layer, Word
from npukit_convert.onnx_to_caffe.profiles import PROFILES
from npukit_convert.onnx_to_caffe.profiles._omg_rules import deconvolution_bytes
from npukit_convert.onnx_to_caffe.profiles.caffe_omg import RULES

Size = tuple[int, ...]
IMAGE = (1, 32, 40, 50)
OMG = PROFILES.get("caffe_omg")()
# At the limit; past it; what the message says: the number and the limit.
Pair = tuple[Mapping[str, Any], Mapping[str, Any], str]


def violations(
    kind: str,
    fields: Mapping[str, Any],
    bottoms: Sequence[Size] = (IMAGE,),
    top: Size | None = None,
    blobs: Sequence[Size] = (),
) -> list[str]:
    names = tuple(f"b{i}" for i in range(len(bottoms)))
    shapes = {**dict(zip(names, bottoms, strict=True)), "t": top or bottoms[0]}
    weights = tuple(np.zeros(size, np.float32) for size in blobs)
    message = MESSAGES.get(kind, "")
    layer = Layer("t", kind, names, ("t",), {message: fields} if message else {}, weights)
    return OMG.violations(layer, shapes)


MESSAGES = {
    "BatchNorm": "batch_norm_param",
    "Convolution": "convolution_param",
    "ConvolutionDepthwise": "convolution_param",
    "Deconvolution": "convolution_param",
    "Flatten": "flatten_param",
    "InnerProduct": "inner_product_param",
    "Interp": "interp_param",
    "LRN": "lrn_param",
    "Normalize": "norm_param",
    "Pooling": "pooling_param",
    "Power": "power_param",
    "Scale": "scale_param",
    "Softmax": "softmax_param",
}
CONV = {"num_output": 8, "kernel_size": 3}
DECONV = {"num_output": 8, "kernel_size": 4}
LIMITS: list[tuple[str, Pair]] = [
    ("BatchNorm", ({"use_global_stats": True}, {"use_global_stats": False}, "use_global_stats")),
    ("Convolution", ({**CONV, "pad": 255}, {**CONV, "pad": 256}, "pad 256, the limit is 255")),
    ("Convolution", ({**CONV, "pad": 0}, {**CONV, "pad": -1}, "pad -1")),
    ("Convolution", ({**CONV, "pad_w": 255}, {**CONV, "pad_w": 256}, "width: pad 256")),
    (
        "Convolution",
        ({"num_output": 8, "kernel_size": 255}, {"num_output": 8, "kernel_size": 256}, "255"),
    ),
    (
        "Convolution",
        (
            {"num_output": 8, "kernel_h": 255, "kernel_w": 1},
            {"num_output": 8, "kernel_h": 256, "kernel_w": 1},
            "height: kernel 256, the limit is 255",
        ),
    ),
    ("Convolution", ({**CONV, "stride": 63}, {**CONV, "stride": 64}, "stride 64, the limit is 63")),
    ("Convolution", ({**CONV, "stride": 1}, {**CONV, "stride": 0}, "stride 0")),
    ("Convolution", ({**CONV, "dilation": 255}, {**CONV, "dilation": 256}, "dilation 256")),
    ("Convolution", ({**CONV, "dilation": [1, 255]}, {**CONV, "dilation": [1, 256]}, "width: dil")),
    (
        "ConvolutionDepthwise",
        ({"num_output": 32, "kernel_size": 3}, {"num_output": 64, "kernel_size": 3}, "64 filters"),
    ),
    (
        "ConvolutionDepthwise",
        (
            {"num_output": 32, "kernel_size": 3, "group": 32},
            {"num_output": 32, "kernel_size": 3, "group": 16},
            "16 groups",
        ),
    ),
    ("Deconvolution", ({**DECONV, "group": 1}, {**DECONV, "group": 2}, "group 2, the limit is 1")),
    ("Deconvolution", ({**DECONV, "dilation": 1}, {**DECONV, "dilation": 2}, "dilation 2")),
    ("Deconvolution", ({**DECONV, "pad": 3}, {**DECONV, "pad": 4}, "pad 4 for kernel 4")),
    ("Flatten", ({"axis": 2}, {"axis": 3}, "axis 3")),
    ("Flatten", ({"axis": 1, "end_axis": 2}, {"axis": 2, "end_axis": 2}, "axis 2")),
    ("InnerProduct", ({"num_output": 4}, {"num_output": 4, "axis": 2}, "axis 2, it must be 1")),
    (
        "InnerProduct",
        ({"num_output": 4, "transpose": False}, {"num_output": 4, "transpose": True}, "transpose"),
    ),
    ("InnerProduct", ({"num_output": 56832}, {"num_output": 56833}, "56833 numbers")),
    ("LRN", ({"local_size": 5}, {"local_size": 6}, "local_size 6")),
    ("Normalize", ({"across_spatial": True}, {"across_spatial": False}, "across_spatial")),
    ("Pooling", ({"kernel_size": 3, "pad": 2}, {"kernel_size": 3, "pad": 3}, "pad 3")),
    (
        "Pooling",
        (
            {"kernel_h": 2, "kernel_w": 4, "pad_h": 1, "pad_w": 3},
            {"kernel_h": 2, "kernel_w": 4, "pad_h": 2, "pad_w": 3},
            "height: pad 2, the limit is 1",
        ),
    ),
    (
        "Pooling",
        ({"pool": Word("AVE"), "kernel_size": 2}, {"pool": Word("STOCHASTIC"), "kernel_size": 2},
         "STOCHASTIC"),
    ),
    (
        "Power",
        ({"power": 0.5, "scale": 0.0, "shift": 1.0}, {"power": 0.5, "scale": 0.0, "shift": 0.0},
         "above 0"),
    ),
    ("Scale", ({"axis": 1}, {"axis": 2}, "axis 2, it must be 1 or -3")),
    ("Scale", ({"axis": -3}, {"axis": 0}, "axis 0")),
    ("Interp", ({"height": 20, "width": 20}, {"height": 20, "zoom_factor": 2}, "zoom_factor")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "pair"), LIMITS)
def test_a_field_at_its_limit_and_past_it(kind: str, pair: Pair) -> None:
    legal, illegal, says = pair
    assert violations(kind, legal) == []
    found = violations(kind, illegal)
    assert found
    assert any(says in line for line in found)


def test_the_number_of_inputs() -> None:
    for kind, fewest, most in (("Concat", 1, 1000), ("Eltwise", 2, 4), ("Upsample", 2, 2)):
        for count in (fewest, most):
            assert violations(kind, {}, [IMAGE] * count) == []
        for count in (fewest - 1, most + 1):
            if count:
                (line,) = violations(kind, {}, [IMAGE] * count)
                assert line.startswith(f"{count} inputs")


def test_the_area_of_a_global_pooling() -> None:
    how = {"pool": Word("AVE"), "global_pooling": True}
    assert violations("Pooling", how, [(1, 8, 100, 100)], (1, 8, 1, 1)) == []
    (line,) = violations("Pooling", how, [(1, 8, 73, 137)], (1, 8, 1, 1))
    assert "73 x 137 = 10001 places, the limit is 10000" in line


def test_the_area_of_an_interpolation() -> None:
    how = {"height": 10, "width": 10}
    assert violations("Interp", how, [(1, 8, 1, 2999)], (1, 8, 10, 10)) == []
    (line,) = violations("Interp", how, [(1, 8, 3, 1000)], (1, 8, 10, 10))
    assert "an area of 100 from 3000" in line


def test_the_memory_of_a_deconvolution() -> None:
    # a = 64 * 64 * 4 * 4 * 2 / 2 = 64 KiB; b = ((w - 1) * 4 + 1) * 4 * 64 * 4
    assert deconvolution_bytes((64, 64), (4, 4), 240, 4) == 65_536 + 957 * 1024
    legal, illegal = ((1, 64, 8, width) for width in (240, 241))
    how = {"num_output": 64, "kernel_size": 4, "stride": 4}
    assert violations("Deconvolution", how, [legal], (1, 64, 32, 960)) == []
    (line,) = violations("Deconvolution", how, [illegal], (1, 64, 32, 964))
    assert line.startswith(f"{65_536 + 961 * 1024} bytes, the limit is 1048576")


def test_channels_of_a_deconvolution_count_in_sixteens() -> None:
    # 16 is no multiple of 32: the filters are not halved.
    assert deconvolution_bytes((3, 16), (2, 2), 1, 1) == 16 * 16 * 4 * 2 + 2 * 16 * 4
    assert deconvolution_bytes((17, 32), (2, 2), 1, 1) == 32 * 32 * 4 * 2 // 2 + 2 * 32 * 4


@pytest.mark.parametrize(
    ("size", "axis", "legal"),
    [
        ((1, 28_544, 2, 2), 1, True),
        ((1, 28_545, 2, 2), 1, False),
        ((1, 4, 6, 1), 2, True),
        ((1, 4, 6, 2), 2, False),
        ((1, 4, 6, 2), 3, True),
        ((1, 46_080), 1, True),
        ((1, 46_081), 1, False),
        ((2, 4, 6), 2, True),
        ((2, 4, 6), 1, False),
    ],
)
def test_the_axis_of_a_softmax(size: Size, axis: int, legal: bool) -> None:
    assert (violations("Softmax", {"axis": axis}, [size]) == []) == legal


@pytest.mark.parametrize(("factors", "legal"), [((32,), True), ((32, 40, 50), False)])
def test_a_scale_has_one_factor_for_each_channel(factors: Size, legal: bool) -> None:
    fields = {"axis": 1, "num_axes": len(factors)}
    assert (violations("Scale", fields, blobs=[factors]) == []) == legal
    assert (violations("Scale", {"axis": 1}, [IMAGE, factors]) == []) == legal


def test_dimensions() -> None:
    assert violations("ReLU", {}, [(1, 2, 3, 4)]) == []
    (line,) = violations("ReLU", {}, [(1, 2, 3, 4, 5)], (1, 2, 3, 4))
    assert "5 dimensions, the limit is 4" in line
    (line,) = violations("ReLU", {}, [(1, 0, 3, 4)], (1, 2, 3, 4))
    assert "no size may be 0" in line


def test_42_layers_and_a_word_for_each_that_is_none() -> None:
    assert len(RULES) == 42
    for kind in ("ReLU6", "Clip", "Tile", "Bias", "MVN", "Reduction", "BNLL", "Silence", "Swish"):
        (line,) = violations(kind, {})
        assert kind in line
        assert "; use " in line
