"""The unit's arithmetic: values worked out by hand, and fast equal to plain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit.aipp import Executor, InputFormat, Rounding, Steps, parse, reference, steps
from npukit.aipp.csc import RGB_TO_YUV, Csc, yuv_to_rgb
from npukit.aipp.errors import AippExpressionError
from npukit.color import Color, Matrix, Range
from npukit.errors import AippError, FrameError
from npukit.frame import Rect

MATRIX = "matrix_r{}c{}: {} "


def fields_of(rows: tuple[tuple[int, ...], ...], **more: object) -> str:
    text = "csc_switch: true "
    for row, values in enumerate(rows):
        text += "".join(MATRIX.format(row, column, value) for column, value in enumerate(values))
    return text + " ".join(f"{name}: {value}" for name, value in more.items())


def run(
    text: str, pixels: Any, size: tuple[int, int], rounding: Rounding = Rounding.TRUNCATE
) -> Any:
    """(C, H, W) of both executors, which agree."""
    done = steps(parse(f"aipp_op {{ aipp_mode: static {text} }}"), size)
    packed = np.array(pixels, np.uint8)
    plain = reference.run(done, packed, rounding)
    assert plain.dtype == np.float16
    fast = Executor(done, rounding)(packed)
    assert fast.dtype == np.float32
    assert np.array_equal(fast[0], plain.astype(np.float32), equal_nan=True)
    return plain.astype(np.float64)


def yuv(y: int, first: int, second: int) -> list[int]:
    """A 2x2 YUV420SP picture of one colour, the chroma pair as it lies in memory."""
    return [y] * 4 + [first, second]


# --- by hand, from the vendor's tables ---

BT601_NARROW = ((298, 0, 409), (298, -100, -208), (298, 516, 0))
JPEG = ((256, 0, 359), (256, -88, -183), (256, 454, 0))
BT709_NARROW = ((298, 0, 459), (298, -55, -136), (298, 541, 0))


@pytest.mark.parametrize(
    ("rows", "luma", "pixel", "truncated", "rounded"),
    [
        # 298 * 219 = 65262 = 254.93 * 256; black is 0.
        (BT601_NARROW, 16, (235, 128, 128), (254, 254, 254), (255, 255, 255)),
        (BT601_NARROW, 16, (16, 128, 128), (0, 0, 0), (0, 0, 0)),
        # Red: 298 * 65 = 19370; + 409 * 112 = 65178 -> 254.6; 19370 + 3800 - 23296 = -126 -> -0.49,
        # cut to 0; 19370 - 516 * 38 = -238 -> -0.93, cut to 0.
        (BT601_NARROW, 16, (81, 90, 240), (254, 0, 0), (255, 0, 0)),
        # R 298 * 84 + 409 * 22 = 34030 -> 132.93; G 25032 + 1200 - 4576 = 21656 -> 84.59;
        # B 25032 - 516 * 12 = 18840 -> 73.59.
        (BT601_NARROW, 16, (100, 116, 150), (132, 84, 73), (133, 85, 74)),
        # R 25600 + 359 * 22 = 33498 -> 130.85; G 25600 + 88 * 12 - 183 * 22 = 22630 -> 88.40;
        # B 25600 - 454 * 12 = 20152 -> 78.72.
        (JPEG, 0, (100, 116, 150), (130, 88, 78), (131, 88, 79)),
        # R 25032 + 459 * 22 = 35130 -> 137.23; G 25032 + 660 - 2992 = 22700 -> 88.67;
        # B 25032 - 541 * 12 = 18540 -> 72.42.
        (BT709_NARROW, 16, (100, 116, 150), (137, 88, 72), (137, 89, 72)),
        # Beyond white and below black: cut.
        (JPEG, 0, (255, 0, 255), (255, 208, 28), (255, 208, 28)),
        (JPEG, 0, (0, 255, 0), (0, 47, 225), (0, 48, 225)),
    ],
)  # fmt: skip
def test_yuv_to_rgb_by_hand(
    rows: Any, luma: int, pixel: tuple[int, int, int], truncated: Any, rounded: Any
) -> None:
    text = "input_format: YUV420SP_U8 " + fields_of(
        rows, input_bias_0=luma, input_bias_1=128, input_bias_2=128
    )
    y, u, v = pixel
    for rounding, expected in ((Rounding.TRUNCATE, truncated), (Rounding.NEAREST, rounded)):
        nv12 = run(text, yuv(y, u, v), (2, 2), rounding)
        assert nv12[:, 0, 0].tolist() == list(expected)
        assert (nv12 == nv12[:, :1, :1]).all()
        nv21 = run(text + " rbuv_swap_switch: true", yuv(y, v, u), (2, 2), rounding)
        assert np.array_equal(nv21, nv12)


def test_a_matrix_that_is_left_out_is_bt601_narrow_to_bgr() -> None:
    text = "input_format: YUV420SP_U8 csc_switch: true"
    assert run(text, yuv(100, 116, 150), (2, 2))[:, 0, 0].tolist() == [73, 84, 132]
    # Each field has its own default: a wide luma with a narrow matrix is no error.
    assert run(text + " input_bias_0: 0", yuv(100, 116, 150), (2, 2))[0, 0, 0] == 92


@pytest.mark.parametrize(
    ("rows", "bias", "pixel", "expected"),
    [
        # 66*200 + 129*100 + 25*50 = 27350 -> 106 + 16; -38*200 - 74*100 + 112*50 = -9400 -> -37
        # (the floor of -36.72) + 128; 112*200 - 94*100 - 18*50 = 12100 -> 47 + 128.
        (((66, 129, 25), (-38, -74, 112), (112, -94, -18)), (16, 128, 128), (200, 100, 50),
         (122, 91, 175)),
        # 77*200 + 150*100 + 29*50 = 31850 -> 124; -43*200 - 85*100 + 128*50 = -10700 -> -42 + 128;
        # 128*200 - 107*100 - 21*50 = 13850 -> 54 + 128.
        (((77, 150, 29), (-43, -85, 128), (128, -107, -21)), (0, 128, 128), (200, 100, 50),
         (124, 86, 182)),
    ],
)  # fmt: skip
def test_rgb_to_yuv_by_hand(rows: Any, bias: Any, pixel: Any, expected: Any) -> None:
    text = "input_format: RGB888_U8 " + fields_of(
        rows, **{f"output_bias_{item}": value for item, value in enumerate(bias)}
    )
    assert run(text, [*pixel] * 2, (2, 1))[:, 0, 1].tolist() == list(expected)
    swapped = text + " rbuv_swap_switch: true"
    assert run(swapped, [*pixel[::-1]] * 2, (2, 1))[:, 0, 1].tolist() == list(expected)


def test_rgb_without_a_matrix_is_converted_to_yuv() -> None:
    text = "input_format: RGB888_U8 csc_switch: true"
    assert run(text, [200, 100, 50] * 2, (2, 1))[:, 0, 0].tolist() == [122, 91, 175]


def test_gray_of_rgb() -> None:
    rows = ((76, 150, 30), (0, 0, 0), (0, 0, 0))
    text = "input_format: RGB888_U8 " + fields_of(
        rows, output_bias_0=0, output_bias_1=0, output_bias_2=0
    )
    # 76*200 + 150*100 + 30*50 = 31700 -> 123.83
    assert run(text, [200, 100, 50] * 2, (2, 1)).tolist() == [[[123, 123]]]
    # Left out, the bias is 16.
    text = "input_format: RGB888_U8 " + fields_of(rows)
    assert run(text, [200, 100, 50] * 2, (2, 1))[0, 0, 0] == 139


def test_channels_as_they_lie() -> None:
    assert run("input_format: RGB888_U8", [1, 2, 3, 4, 5, 6], (2, 1)).tolist() == [
        [[1, 4]], [[2, 5]], [[3, 6]]
    ]  # fmt: skip
    swapped = run("input_format: RGB888_U8 rbuv_swap_switch: true", [1, 2, 3, 4, 5, 6], (2, 1))
    assert swapped[:, 0, 0].tolist() == [3, 2, 1]
    assert run("input_format: YUV400_U8", [7, 8], (2, 1)).tolist() == [[[7, 8]]]
    # YUV without conversion: nearest chroma.
    nv12 = [0, 1, 2, 3, 4, 5, 6, 7, 10, 20, 11, 21]
    got = run("input_format: YUV420SP_U8", nv12, (4, 2))
    assert got[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert got[1].tolist() == [[10, 10, 11, 11]] * 2
    assert got[2].tolist() == [[20, 20, 21, 21]] * 2


@pytest.mark.parametrize(
    ("memory", "rbuv", "ax"),
    [("XRGB", False, True), ("XBGR", True, True), ("RGBX", False, False), ("BGRX", True, False)],
)
def test_four_bytes_a_pixel_by_the_vendors_table(memory: str, rbuv: bool, ax: bool) -> None:
    pixel = [{"R": 1, "G": 2, "B": 3, "X": 9}[name] for name in memory]
    text = f"input_format: XRGB8888_U8 rbuv_swap_switch: {rbuv} ax_swap_switch: {ax}".lower()
    text = text.replace("xrgb8888_u8", "XRGB8888_U8")
    assert run(text, pixel * 2, (2, 1))[:, 0, 1].tolist() == [1, 2, 3, 9]


def test_scaling_is_in_float16() -> None:
    text = "input_format: YUV400_U8 mean_chn_0: {} min_chn_0: {} var_reci_chn_0: {}"
    # 0.675 is 0.6748046875 in float16; 200 - 123 - that = 76.3251953 lies between steps of 1/16:
    # 76.3125 is nearer than 76.375.
    assert run(text.format(123, 0.675, 1), [200, 0], (2, 1))[0, 0, 0] == 76.3125
    # All of it in min: 123.675 is 123.6875 there, 200 - 123.6875 = 76.3125, the same by luck;
    # at 124 the fraction counts: 0.3251953 against 0.3125.
    assert run(text.format(123, 0.675, 1), [124, 0], (2, 1))[0, 0, 0] == 0.3251953125
    assert run(text.format(0, 123.675, 1), [124, 0], (2, 1))[0, 0, 0] == 0.3125
    # 1/255 is 0.0039215087890625 in float16; 255 times that is 0.99998, which rounds to 1.
    assert run(text.format(0, 0, 0.00392157), [255, 1], (2, 1)).tolist() == [
        [[1.0, 0.0039215087890625]]
    ]
    # Beyond 65504 there is infinity.
    assert run(text.format(0, 0, 65504), [255, 1], (2, 1)).tolist() == [[[np.inf, 65504]]]


def test_crop_and_padding() -> None:
    picture = np.arange(48).reshape(6, 8)
    text = (
        "input_format: YUV400_U8 src_image_size_w: 8 src_image_size_h: 6 crop: true "
        "load_start_pos_w: 3 load_start_pos_h: 1 crop_size_w: 4 crop_size_h: 2 mean_chn_0: 1 "
        "padding: true left_padding_size: 1 right_padding_size: 2 top_padding_size: 3"
    )
    got = run(text, picture, (7, 5))
    expected = np.zeros((1, 5, 7))
    expected[0, 3:, 1:5] = picture[1:3, 3:7] - 1
    assert np.array_equal(got, expected)  # padded after the mean is taken off
    assert run(text + " padding_value: 0.1", picture, (7, 5))[0, 0, 0] == np.float16(0.1)


def test_the_order_is_swap_crop_conversion() -> None:
    """A crop takes the chroma of its own blocks, U and V having changed places before."""
    y = np.arange(16).reshape(4, 4)
    vu = np.array([[[90, 10], [91, 11]], [[92, 12], [93, 13]]])
    text = (
        "input_format: YUV420SP_U8 rbuv_swap_switch: true src_image_size_w: 4 "
        "src_image_size_h: 4 crop: true load_start_pos_w: 2 load_start_pos_h: 2 crop_size_w: 2 "
        "crop_size_h: 2"
    )
    got = run(text, np.concatenate([y.ravel(), vu.ravel()]), (2, 2))
    assert got[0].tolist() == [[10, 11], [14, 15]]
    assert (got[1] == 13).all()
    assert (got[2] == 93).all()


# --- the fast one is the plain one ---

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
whole = st.integers(-(2**15), 2**15 - 1)
bytes3 = st.tuples(*[st.integers(0, 255)] * 3)
rows3 = st.tuples(*[st.tuples(whole, whole, whole)] * 3)
# Rows of the size of real ones take the fast way, any others the exact one.
small3 = st.tuples(*[st.tuples(*[st.integers(-600, 600)] * 3)] * 3)
conversions = (
    st.none()
    | st.sampled_from([yuv_to_rgb(color, bgr) for color in COLORS for bgr in (False, True)])
    | st.sampled_from([*RGB_TO_YUV.values()])
    | st.builds(Csc, rows3 | small3, bytes3, bytes3)
)
halves = st.floats(-65504, 65504, width=16) | st.floats(0, 1, width=16)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Steps, np.ndarray]:
    kind = draw(
        st.sampled_from(
            [
                InputFormat.YUV420SP_U8,
                InputFormat.RGB888_U8,
                InputFormat.XRGB8888_U8,
                InputFormat.YUV400_U8,
            ]
        )
    )
    step = 2 if kind is InputFormat.YUV420SP_U8 else 1
    width, height = (step * draw(st.integers(1, 40 // step)) for _ in range(2))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = Rect(x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
    done = Steps(
        input_format=kind,
        source=(width, height),
        rbuv_swap=draw(st.booleans()),
        ax_swap=draw(st.booleans()),
        crop=draw(st.sampled_from([crop, Rect(0, 0, width, height)])),
        csc=None if kind is InputFormat.YUV400_U8 else draw(conversions),
        mean=draw(st.tuples(*[st.integers(0, 255)] * 4)),
        minimum=draw(st.tuples(*[halves] * 4)),
        var_reci=draw(st.tuples(*[halves] * 4)),
        padding=draw(st.tuples(*[st.integers(0, 3)] * 4) | st.just((0, 0, 0, 0))),
        padding_value=draw(halves),
    )
    seed = draw(st.integers(0, 2**32 - 1))
    data = np.random.default_rng(seed).integers(0, 256, done.nbytes, np.uint8)
    return done, np.where(data < 128, 0, 255).astype(np.uint8) if draw(st.booleans()) else data


@given(case=cases(), rounding=st.sampled_from(list(Rounding)))
@settings(max_examples=250)
def test_fast_is_plain_bit_for_bit(case: tuple[Steps, np.ndarray], rounding: Rounding) -> None:
    done, packed = case
    packed.flags.writeable = False
    plain = reference.run(done, packed, rounding)
    fast = Executor(done, rounding)(packed)
    assert plain.shape == fast.shape[1:] == (done.channels, done.size[1], done.size[0])
    assert fast[0].tobytes() == plain.astype(np.float32).tobytes()


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("color", COLORS, ids=str)
def test_every_pair_of_chroma_is_converted_exactly(color: Color, rounding: Rounding) -> None:
    # All pairs (U, V) in one chroma plane.
    second, first = np.meshgrid(np.arange(256), np.arange(256))
    chroma = np.dstack([first, second]).astype(np.uint8)
    rect = Rect(0, 0, 512, 512)
    done = Steps(
        InputFormat.YUV420SP_U8, (512, 512), False, False, rect, yuv_to_rgb(color),
        (0,) * 3, (0.0,) * 3, (1.0,) * 3,
    )  # fmt: skip
    executor = Executor(done, rounding)
    # Four values of Y each; test_color.py goes through all of them for the same formula.
    for start in (0, 224):
        luma = np.tile(np.array([[0, 9], [18, 31]], np.uint8) + np.uint8(start), (256, 256))
        packed = np.concatenate([luma.ravel(), chroma.ravel()])
        plain = reference.run(done, packed, rounding)
        assert np.array_equal(executor(packed)[0], plain.astype(np.float32))


def test_rounding_moves_by_a_level_at_most() -> None:
    done = steps(
        parse("aipp_op { aipp_mode: static input_format: YUV420SP_U8 csc_switch: true }"), (64, 64)
    )
    packed = np.random.default_rng(0).integers(0, 256, done.nbytes, np.uint8)
    apart = Executor(done, Rounding.NEAREST)(packed) - Executor(done)(packed)
    assert set(np.unique(apart)) == {0.0, 1.0}
    assert 0.3 < apart.mean() < 0.5  # half of what is not cut


# --- what is refused ---


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (np.zeros(5, np.uint8), "YUV420SP_U8 2x2 is 6 bytes of uint8, got 5 of uint8"),
        (np.zeros(12, np.uint8), "got 12 of uint8"),
        (np.zeros(6, np.float32), "got 6 of float32"),
    ],
)
def test_bytes_that_are_no_such_picture(packed: np.ndarray, message: str) -> None:
    done = steps(parse("aipp_op { aipp_mode: static input_format: YUV420SP_U8 }"), (2, 2))
    for run_it in (Executor(done), lambda given: reference.run(done, given)):
        with pytest.raises(FrameError, match=message):
            run_it(packed)


@pytest.mark.parametrize(
    ("text", "size", "kind", "message"),
    [
        ("aipp_mode: dynamic max_src_image_size: 99", (4, 4), AippError, "with each inference"),
        ("aipp_mode: static input_format: RGB888_U8", None, AippError, "network's is not known"),
        ("aipp_mode: static input_format: YUV420SP_U8", (3, 4), AippError, "even size, not 3x4"),
        ("aipp_mode: static input_format: RGB888_U8 resize: true", (4, 4), AippError, "E81012"),
        ("aipp_mode: static input_format: RGB888_U8 src_image_size_w: 8", (4, 4), AippError,
         "E70014"),
    ],
)  # fmt: skip
def test_blocks_without_steps(text: str, size: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        steps(parse(f"aipp_op {{ {text} }}"), size)


def test_a_block_that_is_not_there() -> None:
    with pytest.raises(AippError, match="no aipp_op 1: the file has 1"):
        steps(parse("aipp_op { aipp_mode: static input_format: RGB888_U8 }"), (4, 4), index=1)


def test_a_format_that_is_not_executed() -> None:
    wanted = parse("aipp_op { aipp_mode: static input_format: NC1HWC0DI_S8 }")
    with pytest.raises((AippError, AippExpressionError), match="NC1HWC0DI_S8"):
        steps(wanted, (4, 4))


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_the_table_from_rgb_is_the_definition_rounded(itu: SimpleNamespace, color: Color) -> None:
    rows, _, bias = RGB_TO_YUV[color]
    black = itu.yuv(np.zeros(3), color)
    exact = np.stack([itu.yuv(step, color) - black for step in np.eye(3)], axis=1)
    # The vendor's BT.709 wide has 55 and 19 where 54.4 and 18.5 are exact.
    assert np.abs(np.array(rows) - 256.0 * exact).max() <= 0.58
    assert np.allclose(black, bias)
