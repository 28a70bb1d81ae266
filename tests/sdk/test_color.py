"""Colour arithmetic: the integer formula bit for bit, the way back by definition."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import (
    DEFAULT_COLOR,
    Color,
    Matrix,
    Range,
    from_rgb_matrix,
    recolor_matrix,
    rgb_to_yuv,
    to_rgb_matrix,
    yuv_to_rgb,
)
from npukit.frame import Nv21Frame

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
every_color = pytest.mark.parametrize("color", COLORS, ids=str)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 12))
seeds = st.integers(0, 2**32 - 1)


def integer_formula(y: np.ndarray, u: np.ndarray, v: np.ndarray, color: Color) -> np.ndarray:
    """`clip((m · (yuv - bias)) >> 8)` as it stands in the vendor's documentation."""
    rows, bias = to_rgb_matrix(color)
    y, u, v = (plane.astype(np.int64) - b for plane, b in zip((y, u, v), bias, strict=True))
    sums = [row[0] * y + row[1] * u + row[2] * v for row in rows]
    return np.clip(np.stack([total >> 8 for total in sums], axis=-1), 0, 255)


# --- YUV to RGB ---


@every_color
def test_every_yuv_value_equals_the_integer_formula(color: Color) -> None:
    # All pairs (U, V) in one chroma plane, four values of Y in each of their blocks.
    v, u = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    vu = np.dstack([v, u])
    wide_u, wide_v = (plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (u, v))
    for first in range(0, 256, 4):
        block = np.arange(first, first + 4, dtype=np.uint8).reshape(2, 2)
        y = np.tile(block, u.shape)
        assert np.array_equal(
            yuv_to_rgb(y, vu, color), integer_formula(y, wide_u, wide_v, color)
        ), first


@given(seed=seeds, half=sizes, color=st.sampled_from(COLORS), bgr=st.booleans())
def test_any_size_equals_the_integer_formula(
    noise: Callable[..., Nv21Frame],
    itu: SimpleNamespace,
    seed: int,
    half: tuple[int, int],
    color: Color,
    bgr: bool,
) -> None:
    # OpenCV takes other paths for the ends of rows than for their middle.
    frame = noise(seed, 2 * half[0], 2 * half[1], color)
    y, u, v = np.moveaxis(itu.full_size(frame), -1, 0)
    expected = integer_formula(y, u, v, color)
    got = yuv_to_rgb(frame.y, frame.vu, color, bgr=bgr)
    assert got.dtype == np.uint8
    assert np.array_equal(got[:, :, ::-1] if bgr else got, expected)


@every_color
def test_the_integer_matrix_is_the_definition_to_half_a_step(
    itu: SimpleNamespace, color: Color
) -> None:
    rows, bias = to_rgb_matrix(color)
    origin = np.array(bias, np.float64)
    exact = np.stack(
        [itu.rgb(origin + step, color) - itu.rgb(origin, color) for step in np.eye(3)], axis=1
    )
    assert np.abs(np.array(rows) - 256.0 * exact).max() <= 0.5
    assert np.allclose(itu.rgb(origin, color), 0.0)


# --- RGB to YUV ---


@given(
    seed=seeds,
    half=sizes,
    color=st.sampled_from(COLORS),
    extreme=st.booleans(),
    bgr=st.booleans(),
)
def test_rgb_to_yuv_is_the_definition_rounded_once(
    itu: SimpleNamespace,
    seed: int,
    half: tuple[int, int],
    color: Color,
    extreme: bool,
    bgr: bool,
) -> None:
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (2 * half[1], 2 * half[0], 3), np.uint8)
    if extreme:
        rgb = np.where(rgb < 128, 0, 255).astype(np.uint8)
    exact = itu.yuv(rgb, color)
    y, vu = rgb_to_yuv(rgb[:, :, ::-1] if bgr else rgb, color, bgr=bgr)
    assert y.dtype == vu.dtype == np.uint8
    assert vu.shape == (half[1], half[0], 2)
    # Half a level is the rounding; the rest is float32.
    assert np.abs(y - np.clip(exact[:, :, 0], 0, 255)).max() <= 0.5 + 1e-4
    chroma = np.clip(itu.block_mean(exact), 0, 255)
    assert np.abs(vu - chroma[:, :, [2, 1]]).max() <= 0.5 + 1e-4


# Bytes of 100 % colour bars: BT.601 and BT.709 limited as in their recommendations (and in
# ITU-R BT.801 / BT.1729), full range BT.601 as in JFIF, whose 255.5 is cut to 255.
KNOWN = {
    Color(Matrix.BT601, Range.LIMITED): {
        (255, 255, 255): (235, 128, 128),
        (255, 255, 0): (210, 16, 146),
        (0, 255, 255): (170, 166, 16),
        (0, 255, 0): (145, 54, 34),
        (255, 0, 255): (106, 202, 222),
        (255, 0, 0): (81, 90, 240),
        (0, 0, 255): (41, 240, 110),
        (0, 0, 0): (16, 128, 128),
    },
    Color(Matrix.BT709, Range.LIMITED): {
        (255, 255, 255): (235, 128, 128),
        (255, 255, 0): (219, 16, 138),
        (0, 255, 255): (188, 154, 16),
        (0, 255, 0): (173, 42, 26),
        (255, 0, 255): (78, 214, 230),
        (255, 0, 0): (63, 102, 240),
        (0, 0, 255): (32, 240, 118),
        (0, 0, 0): (16, 128, 128),
    },
    Color(Matrix.BT601, Range.FULL): {
        (255, 255, 255): (255, 128, 128),
        (0, 255, 0): (150, 44, 21),
        (255, 0, 0): (76, 85, 255),
        (0, 0, 255): (29, 255, 107),
        (0, 0, 0): (0, 128, 128),
    },
    Color(Matrix.BT709, Range.FULL): {
        (255, 255, 255): (255, 128, 128),
        (0, 255, 0): (182, 30, 12),
        (255, 0, 0): (54, 99, 255),
        (0, 0, 255): (18, 255, 116),
        (0, 0, 0): (0, 128, 128),
    },
}


@pytest.mark.parametrize(
    ("color", "rgb", "yuv"),
    [(color, *pair) for color, table in KNOWN.items() for pair in table.items()],
    ids=str,
)
def test_known_colours(color: Color, rgb: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    y, vu = rgb_to_yuv(np.full((2, 2, 3), rgb, np.uint8), color)
    assert (y == yuv[0]).all()
    assert vu.tolist() == [[[yuv[2], yuv[1]]]]


@every_color
def test_gray_has_no_colour(color: Color) -> None:
    ramp = np.arange(256, dtype=np.uint8)
    rgb = np.repeat(ramp, 4).reshape(256, 2, 2, 1).repeat(3, axis=3)
    for value, picture in enumerate(rgb):
        y, vu = rgb_to_yuv(picture, color)
        assert (vu == 128).all()
        back = yuv_to_rgb(y, vu, color)
        assert (back == back[0, 0, 0]).all()
        # Rounding of Y, then the floor: at most a level and a half from the start.
        assert abs(int(back[0, 0, 0]) - value) <= 1


# --- both ways ---


@every_color
def test_a_flat_picture_comes_back_within_the_bound(itu: SimpleNamespace, color: Color) -> None:
    """The bound of each channel, from the matrices alone.

    Rounding moves Y, U and V by up to half a level each, which the integer row multiplies; its
    coefficients are off by up to half a 1/256 step over the span of each sample; `>> 8` takes
    away up to one level more.
    """
    rows, _ = to_rgb_matrix(color)
    integer = np.array(rows) / 256.0
    exact = np.linalg.inv(from_rgb_matrix(color)[:, :3])
    luma_span, chroma_span = (219, 112) if color.range is Range.LIMITED else (255, 127.5)
    span = np.array([luma_span, chroma_span, chroma_span])
    bound = 0.5 * np.abs(integer).sum(axis=1) + np.abs(integer - exact) @ span + 1.0
    assert bound.max() < 4.0

    levels = np.array([0, 1, 31, 64, 100, 128, 171, 200, 254, 255], np.uint8)
    flat = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 10, 3)
    picture = flat.repeat(2, axis=0).repeat(2, axis=1)
    y, vu = rgb_to_yuv(picture, color)
    error = yuv_to_rgb(y, vu, color).astype(np.float64) - picture
    assert (np.abs(error) <= bound).all()
    assert np.abs(error).mean() < 1.0


# --- from one colour to another ---


@every_color
def test_recolour_to_itself_is_the_identity(color: Color) -> None:
    expected = np.column_stack([np.eye(3), np.zeros(3)])
    assert np.allclose(recolor_matrix(color, color), expected, atol=1e-9)


@pytest.mark.parametrize("source", COLORS, ids=str)
@pytest.mark.parametrize("target", COLORS, ids=str)
def test_recolour_is_the_definition_and_composes(
    itu: SimpleNamespace, source: Color, target: Color
) -> None:
    yuv = np.random.default_rng(0).uniform(0, 255, (200, 3))

    def apply(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
        return values @ matrix[:, :3].T + matrix[:, 3]

    direct = apply(recolor_matrix(source, target), yuv)
    assert np.allclose(direct, itu.yuv(itu.rgb(yuv, source), target), atol=1e-9)
    for between in COLORS:
        steps = apply(recolor_matrix(between, target), apply(recolor_matrix(source, between), yuv))
        assert np.allclose(steps, direct, atol=1e-9)
    back = apply(recolor_matrix(target, source), direct)
    assert np.allclose(back, yuv, atol=1e-9)


def test_a_colour_reads_as_words() -> None:
    assert str(DEFAULT_COLOR) == "bt601 limited"
    assert Color(Matrix("bt709"), Range("full")) == Color(Matrix.BT709, Range.FULL)
