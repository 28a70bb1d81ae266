"""The host's part: which pixels of a frame the model sees, and in which colour."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.errors import FrameError
from npukit.frame import INTERPOLATIONS, Nv21Frame, Rect
from npukit.preprocess import Preprocess, fit, source_rect, to_tensor
from npukit.preprocess.spec import GEOMETRIES

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
Noise = Callable[..., Nv21Frame]
evens = st.integers(4, 40).map(lambda half: 2 * half)


def declared(**given: Any) -> Preprocess:
    return Preprocess.from_dict(given)


def same(one: Nv21Frame, other: Nv21Frame) -> bool:
    return one.color == other.color and np.array_equal(one.pack(), other.pack())


# --- where ---


@pytest.mark.parametrize(
    ("geometry", "frame", "size", "expected"),
    [
        ("full", (1280, 720), (256, 144), (0, 0, 1280, 720)),
        ("full", (1280, 720), (256, 256), (0, 0, 1280, 720)),
        ("letterbox", (1280, 720), (256, 256), (0, 0, 1280, 720)),
        ("center", (1280, 720), (256, 256), (280, 0, 720, 720)),
        ("center", (720, 1280), (256, 256), (0, 280, 720, 720)),
        ("center", (1280, 720), (256, 144), (0, 0, 1280, 720)),
        ("center", (640, 480), (256, 144), (0, 60, 640, 360)),
        ("center", (100, 50), (2, 4), (38, 0, 24, 50)),
        ("center", (6, 6), (6, 6), (0, 0, 6, 6)),
    ],
)
def test_the_rectangle_of_each_geometry(
    geometry: str, frame: tuple[int, int], size: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert tuple(source_rect(declared(geometry=geometry), frame, size)) == expected


def test_a_region_is_its_own_rectangle() -> None:
    rect = Rect(4, 6, 10, 20)
    assert source_rect(declared(geometry="roi"), (64, 48), (8, 8), rect) == rect


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_region_is_given_where_it_is_needed_and_nowhere_else(noise: Noise, geometry: str) -> None:
    frame, spec = noise(0, 32, 24), declared(geometry=geometry)
    roi, words = (None, "needs a") if geometry == "roi" else (Rect(0, 0, 8, 8), "takes no")
    with pytest.raises(FrameError, match=f"geometry {geometry} {words} rectangle"):
        source_rect(spec, frame.size, (8, 8), roi)
    with pytest.raises(FrameError, match=f"geometry {geometry} {words} rectangle"):
        fit(spec, frame, (8, 8), roi)


@pytest.mark.parametrize("rect", [Rect(30, 0, 4, 4), Rect(1, 0, 4, 4), Rect(0, 0, 3, 4)], ids=str)
def test_a_region_outside_or_odd_is_refused(noise: Noise, rect: Rect) -> None:
    with pytest.raises(FrameError):
        fit(declared(geometry="roi"), noise(0, 32, 24), (8, 8), rect)


# --- what ---


@given(
    seed=st.integers(0, 999),
    frame_size=st.tuples(evens, evens),
    size=st.tuples(evens, evens),
    colors=st.tuples(st.sampled_from(COLORS), st.sampled_from(COLORS)),
    geometry=st.sampled_from(GEOMETRIES),
    resize=st.sampled_from(sorted(INTERPOLATIONS)),
)
def test_fit_is_cut_scale_and_recolour_in_this_order(
    noise: Noise,
    seed: int,
    frame_size: tuple[int, int],
    size: tuple[int, int],
    colors: tuple[Color, Color],
    geometry: str,
    resize: str,
) -> None:
    frame = noise(seed, *frame_size, colors[0])
    frame.y.flags.writeable = frame.vu.flags.writeable = False
    before = frame.pack()
    spec = declared(
        geometry=geometry,
        resize=resize,
        matrix=colors[1].matrix.value,
        range=colors[1].range.value,
    )
    roi = Rect(2, 4, frame_size[0] - 4, frame_size[1] - 6) if geometry == "roi" else None
    rect = source_rect(spec, frame.size, size, roi)
    part = frame.crop(rect)
    boxed = geometry == "letterbox"
    scaled = part.letterbox(*size, resize) if boxed else part.resize(*size, resize)
    got = fit(spec, frame, size, roi)
    assert got.size == size
    assert got.color == spec.color
    assert same(got, scaled.recolor(spec.color))
    assert got.pack().shape == (size[1] * 3 // 2, size[0])
    assert np.array_equal(frame.pack(), before)


def test_a_frame_that_fits_already_is_not_copied(noise: Noise) -> None:
    frame = noise(0, 64, 48)
    for geometry, size in (("full", (64, 48)), ("center", (48, 48))):
        got = fit(declared(geometry=geometry), frame, size)
        assert np.shares_memory(got.y, frame.y)
        assert np.shares_memory(got.vu, frame.vu)


def test_the_centre_is_the_middle_of_the_picture() -> None:
    frame = Nv21Frame.filled(96, 32, DEFAULT_COLOR, (50, 90, 160))
    frame.crop(Rect(32, 0, 32, 32)).paste(Nv21Frame.filled(32, 32, DEFAULT_COLOR, (200, 30, 40)))
    for resize in INTERPOLATIONS:
        got = fit(declared(geometry="center", resize=resize), frame, (16, 16))
        assert (got.y == 200).all()
        assert (got.vu == (40, 30)).all()


def test_nearest_takes_pixels_as_they_are(noise: Noise) -> None:
    frame = noise(3, 64, 64)
    got = fit(declared(resize="nearest"), frame, (32, 32))
    assert np.isin(got.y, frame.y).all()
    assert np.array_equal(got.y, frame.y[::2, ::2])
    assert np.array_equal(got.vu, frame.vu[::2, ::2])


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_the_letterbox_is_black_in_the_declared_colour(noise: Noise, color: Color) -> None:
    for source in COLORS:
        spec = declared(geometry="letterbox", matrix=color.matrix.value, range=color.range.value)
        got = fit(spec, noise(0, 64, 32, source), (32, 32))
        for band in (got.crop(Rect(0, 0, 32, 8)), got.crop(Rect(0, 24, 32, 8))):
            assert (band.to_rgb() == 0).all()


@pytest.mark.parametrize("size", [(15, 16), (16, 15), (0, 16)], ids=str)
def test_an_odd_input_is_refused(noise: Noise, size: tuple[int, int]) -> None:
    for geometry in ("full", "letterbox"):
        with pytest.raises(FrameError):
            fit(declared(geometry=geometry), noise(0, 32, 24), size)


# --- both parts together ---


@pytest.mark.parametrize("source", COLORS, ids=str)
@pytest.mark.parametrize("model", COLORS, ids=str)
def test_the_network_sees_the_same_colours_whatever_the_source_is(
    itu: SimpleNamespace, source: Color, model: Color
) -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 64))
    rgb = np.dstack([60 + 90 * x, 200 - 120 * y, 80 + 60 * x * y]).astype(np.uint8)
    frame = Nv21Frame.from_rgb(rgb, source)
    spec = declared(matrix=model.matrix.value, range=model.range.value)
    seen = to_tensor(spec, fit(spec, frame, (96, 64)).pack())[0].transpose(1, 2, 0)
    # Rounded to YUV twice and to RGB once, chroma of four pixels in one; below 4 levels each.
    assert np.abs(seen - rgb).max() <= 8
    assert np.abs(seen - rgb).mean() < 1.5
