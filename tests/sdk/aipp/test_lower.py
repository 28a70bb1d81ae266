"""The declaration as a configuration, and back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.aipp import (
    Executor,
    executor,
    lift,
    load_preset,
    lower,
    lowering_error,
    parse,
    steps,
    to_text,
)
from npukit.aipp.errors import AippExpressionError
from npukit.aipp.lower import COLORS, scaling_fields
from npukit.color import Color, Matrix, Range
from npukit.errors import AippError
from npukit.preprocess import Preprocess, to_tensor

IMAGENET = ((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375))
means = st.floats(0, 255).map(lambda value: round(value, 3))
scales = st.floats(1e-3, 2) | st.floats(-2, -1e-3)


@st.composite
def declarations(draw: st.DrawFn) -> Preprocess:
    source = draw(st.sampled_from(["nv21", "rgb888", "bgr888"]))
    to = draw(st.sampled_from(["rgb", "bgr", "gray"] if source == "nv21" else ["rgb", "bgr"]))
    count = 1 if to == "gray" else 3
    return Preprocess(
        source=source,
        color=draw(st.sampled_from(COLORS)) if source == "nv21" and to != "gray" else Color(),
        to=to,
        mean=draw(st.tuples(*[means] * count)),
        scale=draw(st.tuples(*[scales] * count)),
    )


@given(declarations())
@settings(max_examples=50)
def test_what_is_lowered_is_lifted_again(spec: Preprocess) -> None:
    config = lower(spec)
    back = lift(config, source=spec.source if spec.source != "nv21" else "rgb888")
    assert (back.source, back.color, back.to) == (spec.source, spec.color, spec.to)
    assert back.mean == pytest.approx(spec.mean, rel=1e-6, abs=1e-5)
    assert back.scale == pytest.approx(spec.scale, rel=1e-7)
    assert lower(back) == config  # the way back loses no more than float32 does
    assert lift(parse(to_text(config)), source=back.source) == back or spec.source == "nv21"


@given(declarations(), st.integers(0, 99))
@settings(max_examples=60)
def test_the_result_is_the_declarations_within_the_stated_error(
    spec: Preprocess, seed: int
) -> None:
    packed = np.random.default_rng(seed).integers(0, 256, spec.packed_shape(16, 8), np.uint8)
    got = executor(spec, (16, 8))(packed)
    stated = np.array(lowering_error(spec).max_abs).reshape(1, -1, 1, 1)
    apart = np.abs(got.astype(np.float64) - to_tensor(spec, packed))
    assert (apart <= stated + 1e-4 * np.abs(stated) + 3e-5).all()  # float32's own


def test_the_stated_error_by_hand() -> None:
    """0..1: 1/255 is 0.0039215087890625 in float16; the largest error is found at the end."""
    found = lowering_error(Preprocess(scale=(1 / 255,) * 3))
    half = np.float16(1 / 255)
    by_hand = max(abs(float(np.float16(value) * half) - value / 255) for value in range(256))
    assert found.max_abs == (by_hand,) * 3
    assert 2e-4 < by_hand < 3e-4
    assert lowering_error(Preprocess()).max_abs == (0.0, 0.0, 0.0)


def test_fractions_of_a_mean_go_to_min() -> None:
    fields = scaling_fields(*IMAGENET)
    assert [fields[f"mean_chn_{item}"] for item in range(3)] == [123, 116, 103]
    assert [fields[f"min_chn_{item}"] for item in range(3)] == [0.675, 0.28, 0.53]


@given(mean=means, scale=scales)
@settings(max_examples=60)
def test_no_other_split_of_a_mean_is_closer(mean: float, scale: float) -> None:
    spec = Preprocess(to="gray", mean=(mean,), scale=(scale,))
    (chosen,) = lowering_error(spec).max_abs
    half, levels = np.float16, np.arange(256)
    for whole in range(int(mean) + 1):
        result = (levels.astype(half) - half(whole) - half(mean - whole)) * half(scale)
        error = np.abs(result.astype(np.float64) - (levels - mean) * scale).max()
        assert chosen <= error / 0.99 + 1e-7, whole


# --- the two that a user of the portrait demo needs ---


def test_rgb_bytes_as_a_script_feeds_them() -> None:
    spec = Preprocess(source="rgb888", scale=(1 / 255,) * 3)
    config = lower(spec)
    (op,) = config.aipp_op
    assert op.input_format is not None
    assert op.input_format.name == "RGB888_U8"
    assert (op.rbuv_swap_switch, op.csc_switch) == (False, False)
    assert config == load_preset("rgb_to_rgb_0_1")
    assert lift(config).source == "rgb888"


def test_nv21_bytes_as_a_camera_gives_them() -> None:
    config = lower(Preprocess(scale=(1 / 255,) * 3))
    (op,) = config.aipp_op
    assert op.input_format is not None
    assert op.input_format.name == "YUV420SP_U8"
    assert (op.rbuv_swap_switch, op.csc_switch) == (True, True)
    assert config == load_preset("nv21_to_rgb_bt601_narrow_0_1")


def test_both_give_the_network_the_same_picture() -> None:
    from npukit.frame import Nv21Frame

    packed = np.random.default_rng(0).integers(0, 256, (24, 16), np.uint8)
    rgb = Nv21Frame.from_packed(packed, Color()).to_rgb()
    scale = (1 / 255,) * 3
    from_nv21 = Executor(steps(lower(Preprocess(scale=scale)), (16, 16)))(packed)
    from_rgb = Executor(steps(lower(Preprocess(source="rgb888", scale=scale)), (16, 16)))(rgb)
    assert np.array_equal(from_nv21, from_rgb)


# --- what cannot be said ---


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Preprocess(mean=(-1.0, 0.0, 0.0)), "mean -1.0 of channel 0"),
        (Preprocess(mean=(0.0, 0.0, 510.5)), "mean 510.5 of channel 2"),
        (Preprocess(scale=(1.0, 1e5, 1.0)), "scale 100000.0 of channel 1"),
        (Preprocess(scale=(1e-6, 1.0, 1.0)), "scale 1e-06 of channel 0"),
        (Preprocess(source="rgb888", to="gray", mean=(0.0,), scale=(1.0,)), "luma of nv21"),
    ],
)
def test_declarations_without_a_configuration(spec: Preprocess, message: str) -> None:
    with pytest.raises(AippExpressionError, match=message):
        lower(spec)


def test_a_mean_above_255_is_shared_by_mean_and_min() -> None:
    spec = Preprocess(to="gray", mean=(400.25,), scale=(1.0,))
    assert lift(lower(spec)).mean == (400.25,)


STATIC = "aipp_mode: static "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input_format: YUV420SP_U8 csc_switch: true", "NV12.*set rbuv_swap_switch: true"),
        ("input_format: YUV420SP_U8 rbuv_swap_switch: true", "gives the network Y, U and V"),
        ("input_format: YUV420SP_U8 rbuv_swap_switch: true csc_switch: true matrix_r0c0: 299",
         "none of the vendor's tables.*nearest is bt601 limited to bgr"),
        ("input_format: YUV420SP_U8 rbuv_swap_switch: true csc_switch: true input_bias_0: 0",
         "none of the vendor's tables"),
        ("input_format: RGB888_U8 csc_switch: true", "converts RGB to YUV"),
        ("input_format: XRGB8888_U8", "no source for XRGB8888_U8"),
        ("input_format: YUV400_U8", "no source for YUV400_U8"),
        ("input_format: RGB888_U8 crop: true src_image_size_w: 8 src_image_size_h: 8",
         "cuts or pads"),
        ("input_format: RGB888_U8 padding: true src_image_size_w: 8 src_image_size_h: 8",
         "cuts or pads"),
    ],
)  # fmt: skip
def test_configurations_without_a_declaration(text: str, message: str) -> None:
    with pytest.raises(AippExpressionError, match=message):
        lift(parse(f"aipp_op {{ {STATIC} {text} }}"))


def test_an_omitted_matrix_is_seen_as_what_it_is() -> None:
    text = (
        f"aipp_op {{ {STATIC} input_format: YUV420SP_U8 rbuv_swap_switch: true csc_switch: true }}"
    )
    assert (lift(parse(text)).to, lift(parse(text)).color) == ("bgr", Color())


def test_dynamic_is_no_declaration() -> None:
    with pytest.raises(AippError, match="with each inference"):
        lift(parse("aipp_op { aipp_mode: dynamic max_src_image_size: 99 }"))


def test_a_size_is_written_when_it_is_given() -> None:
    (op,) = lower(Preprocess(), rank=1, size=(256, 144)).aipp_op
    assert (op.related_input_rank, op.src_image_size_w, op.src_image_size_h) == (1, 256, 144)


@pytest.mark.parametrize(
    ("matrix", "range_", "to"), list(itertools.product(Matrix, Range, ["rgb", "bgr"])), ids=str
)
def test_every_colour_is_lifted_from_its_preset(matrix: Matrix, range_: Range, to: str) -> None:
    words = {"limited": "narrow", "full": "wide"}[range_.value]
    spec = lift(load_preset(f"nv21_to_{to}_{matrix.value}_{words}_imagenet"))
    assert (spec.source, spec.to, spec.color) == ("nv21", to, Color(matrix, range_))
    order = slice(None) if to == "rgb" else slice(None, None, -1)
    assert spec.mean == IMAGENET[0][order]
    assert spec.scale == pytest.approx(IMAGENET[1][order], rel=1e-7)
