"""The NV21 frame: layouts, geometry on planes, colour, errors."""

from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.errors import FrameError
from npukit.frame import (
    INTERPOLATIONS,
    Nv21Frame,
    Rect,
    center_rect,
    interpolation_flag,
    letterbox_rect,
)

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
FULL = Color(Matrix.BT601, Range.FULL)
every_color = pytest.mark.parametrize("color", COLORS, ids=str)
every_interpolation = pytest.mark.parametrize("interpolation", INTERPOLATIONS)
seeds = st.integers(0, 2**32 - 1)
evens = st.integers(1, 24).map(lambda half: 2 * half)
Noise = Callable[..., Nv21Frame]


def same(one: Nv21Frame, other: Nv21Frame) -> bool:
    return (
        one.color == other.color
        and np.array_equal(one.y, other.y)
        and np.array_equal(one.vu, other.vu)
    )


def copy_of(frame: Nv21Frame) -> Nv21Frame:
    return Nv21Frame(frame.y.copy(), frame.vu.copy(), frame.color)


# --- layouts ---


@given(seed=seeds, width=evens, height=evens)
def test_layouts_hold_the_samples_where_their_names_say(
    noise: Noise, seed: int, width: int, height: int
) -> None:
    frame = noise(seed, width, height)
    v, u = np.moveaxis(frame.vu, 2, 0)
    pairs = {"nv21": (v, u), "nv12": (u, v)}
    for name, packed in (("nv21", frame.pack()), ("nv12", frame.to_nv12())):
        assert packed.shape == (height * 3 // 2, width)
        chroma = packed[height:]
        assert np.array_equal(packed[:height], frame.y)
        assert np.array_equal(chroma[:, 0::2], pairs[name][0])
        assert np.array_equal(chroma[:, 1::2], pairs[name][1])
    planes = [plane.ravel() for plane in (frame.y, u, v)]
    assert np.array_equal(frame.to_i420().ravel(), np.concatenate(planes))


@given(seed=seeds, width=evens, height=evens, color=st.sampled_from(COLORS))
def test_layouts_come_back_whole(
    noise: Noise, seed: int, width: int, height: int, color: Color
) -> None:
    frame = noise(seed, width, height, color)
    assert same(Nv21Frame.from_packed(frame.pack(), color), frame)
    assert same(Nv21Frame.from_nv12(frame.to_nv12(), color), frame)
    assert same(Nv21Frame.from_i420(frame.to_i420(), color), frame)


def test_opencv_reads_the_three_layouts_as_one_picture(noise: Noise) -> None:
    frame = noise(1, 64, 48)
    pictures = [
        cv2.cvtColor(frame.pack(), cv2.COLOR_YUV2RGB_NV21),
        cv2.cvtColor(frame.to_nv12(), cv2.COLOR_YUV2RGB_NV12),
        cv2.cvtColor(frame.to_i420(), cv2.COLOR_YUV2RGB_I420),
    ]
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])


def test_from_packed_is_a_view() -> None:
    packed = np.zeros((9, 8), np.uint8)
    frame = Nv21Frame.from_packed(packed, DEFAULT_COLOR)
    assert frame.size == (8, 6)
    assert np.shares_memory(frame.y, packed)
    assert np.shares_memory(frame.vu, packed)
    frame.y[:] = 7
    frame.vu[:] = (9, 5)
    assert (packed[:6] == 7).all()
    assert (packed[6:, 0::2] == 9).all()
    assert (packed[6:, 1::2] == 5).all()


def test_a_part_of_a_wider_buffer_is_read_in_place() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (9, 20), np.uint8)
    frame = Nv21Frame.from_packed(wide[:, 4:12], DEFAULT_COLOR)
    assert np.shares_memory(frame.vu, wide)
    assert np.array_equal(frame.pack(), wide[:, 4:12])


def test_pack_writes_into_out(noise: Noise) -> None:
    frame = noise(2, 16, 8)
    out = np.empty((12, 16), np.uint8)
    assert frame.pack(out) is out
    assert np.array_equal(out, frame.pack())


@pytest.mark.parametrize(
    "out",
    [
        np.empty((12, 18), np.uint8),
        np.empty((16, 12), np.uint8),
        np.empty((12, 16), np.int8),
        np.empty((12, 32), np.uint8)[:, ::2],
    ],
    ids=["wide", "turned", "int8", "strided"],
)
def test_pack_refuses_an_out_that_does_not_fit(noise: Noise, out: np.ndarray) -> None:
    with pytest.raises(FrameError, match=r"contiguous uint8 \(12, 16\)"):
        noise(0, 16, 8).pack(out)


# --- RGB ---


def test_to_rgb_agrees_with_opencv(noise: Noise) -> None:
    """OpenCV rounds 20-bit coefficients to nearest; the vendor's formula takes a floor of 8-bit.

    The floor lies 0 to 1 below the exact value, the rounding within half a level of it, and
    8-bit coefficients move it by less than 0.4: the difference is -1 or 0. Below 16, OpenCV
    cuts luma before the multiplication, which the formula does not.
    """
    for seed in range(4):
        frame = noise(seed, 128, 128)
        frame = Nv21Frame(np.maximum(frame.y, 16), frame.vu, frame.color)
        theirs = cv2.cvtColor(frame.pack(), cv2.COLOR_YUV2RGB_NV21).astype(int)
        difference = frame.to_rgb() - theirs
        assert set(np.unique(difference)) <= {-1, 0}
        assert np.array_equal(frame.to_bgr(), frame.to_rgb()[:, :, ::-1])


@every_color
def test_a_smooth_picture_survives_rgb_and_back(color: Color) -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 64))
    rgb = np.dstack([40 + 150 * x, 60 + 120 * y, 200 - 80 * x * y]).astype(np.uint8)
    for frame in (
        Nv21Frame.from_rgb(rgb, color),
        Nv21Frame.from_bgr(np.ascontiguousarray(rgb[:, :, ::-1]), color),
    ):
        assert frame.color == color
        difference = frame.to_rgb().astype(int) - rgb
        # The flat picture's bound (below 4) and the slope within a block (below 2 a pixel).
        assert np.abs(difference).max() <= 5
        assert np.abs(difference).mean() < 1.5


def test_a_photograph_keeps_its_luma(shared_data: Callable[[str], object]) -> None:
    photo = cv2.imread(str(shared_data("photo/astronaut_512.png")))
    frame = Nv21Frame.from_bgr(photo, DEFAULT_COLOR)
    again = Nv21Frame.from_bgr(frame.to_bgr(), DEFAULT_COLOR)
    # What half-size chroma takes out of a pixel's gamut is cut off: few pixels, many levels.
    assert np.abs(again.y.astype(int) - frame.y).mean() < 1.0
    assert np.abs(frame.to_bgr().astype(int) - photo).mean() < 3.0


# --- geometry: crop, flip, rotate ---


@given(seed=seeds, width=evens, height=evens, data=st.data())
def test_a_crop_is_a_view_of_the_same_pixels(
    noise: Noise, seed: int, width: int, height: int, data: st.DataObject
) -> None:
    frame = noise(seed, width, height)
    left = data.draw(st.integers(0, width // 2 - 1)) * 2
    top = data.draw(st.integers(0, height // 2 - 1)) * 2
    rect = Rect(
        left,
        top,
        data.draw(st.integers(1, (width - left) // 2)) * 2,
        data.draw(st.integers(1, (height - top) // 2)) * 2,
    )
    part = frame.crop(rect)
    assert part.size == (rect.width, rect.height)
    assert np.shares_memory(part.y, frame.y)
    assert np.shares_memory(part.vu, frame.vu)
    expected = frame.to_rgb()[top : top + rect.height, left : left + rect.width]
    assert np.array_equal(part.to_rgb(), expected)


@pytest.mark.parametrize(
    ("rect", "message"),
    [
        (Rect(1, 0, 4, 4), "crop position 1x0 is not even"),
        (Rect(0, 3, 4, 4), "crop position 0x3 is not even"),
        (Rect(0, 0, 5, 4), "crop size 5x4 is not even"),
        (Rect(0, 0, 0, 4), "crop size 0x4 is too small"),
        (Rect(0, 0, 4, -2), "crop size 4x-2 is too small"),
        (Rect(-2, 0, 4, 4), "crop position -2x0 is too small"),
        (Rect(10, 0, 8, 4), "leaves the 16x12 frame"),
        (Rect(0, 10, 4, 4), "leaves the 16x12 frame"),
        (Rect(0, 0, 18, 12), "leaves the 16x12 frame"),
        (Rect(16, 12, 2, 2), "leaves the 16x12 frame"),
    ],
    ids=str,
)
def test_a_crop_outside_or_odd_is_refused(noise: Noise, rect: Rect, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        noise(0, 16, 12).crop(rect)


@given(seed=seeds, width=evens, height=evens)
def test_flip_and_rotate_move_whole_pixels(
    noise: Noise, seed: int, width: int, height: int
) -> None:
    frame = noise(seed, width, height)
    rgb = frame.to_rgb()
    assert np.array_equal(frame.flip().to_rgb(), rgb[:, ::-1])
    assert same(frame.flip().flip(), frame)
    for quarters in range(-4, 9):
        turned = frame.rotate(90 * quarters)
        assert np.array_equal(turned.to_rgb(), np.rot90(rgb, -quarters))
    again = frame
    for _ in range(4):
        again = again.rotate(90)
    assert same(again, frame)


@pytest.mark.parametrize("degrees", [1, 45, -30, 91])
def test_a_rotation_by_less_than_a_quarter_is_refused(noise: Noise, degrees: int) -> None:
    with pytest.raises(FrameError, match="multiple of 90"):
        noise(0, 4, 4).rotate(degrees)


def test_flip_writes_into_a_part_of_a_canvas(noise: Noise) -> None:
    frame, canvas = noise(3, 20, 12), noise(4, 40, 12)
    left = copy_of(canvas.crop(Rect(0, 0, 20, 12)))
    out = canvas.crop(Rect(20, 0, 20, 12))
    assert frame.flip(out=out) is out
    assert same(canvas.crop(Rect(20, 0, 20, 12)), frame.flip())
    assert same(canvas.crop(Rect(0, 0, 20, 12)), left)


def test_flip_and_paste_refuse_what_does_not_fit(noise: Noise) -> None:
    frame = noise(0, 16, 12)
    for other in (noise(0, 16, 10), noise(0, 18, 12), noise(0, 16, 12, FULL)):
        before = copy_of(other)
        with pytest.raises(FrameError, match="cannot put"):
            frame.flip(out=other)
        with pytest.raises(FrameError, match="cannot put"):
            other.paste(frame)
        assert same(other, before)


def test_paste_writes_the_pixels_through_a_view(noise: Noise) -> None:
    canvas, frame = noise(0, 16, 12), noise(1, 6, 4)
    expected = canvas.to_rgb()
    expected[2:6, 8:14] = frame.to_rgb()
    canvas.crop(Rect(8, 2, 6, 4)).paste(frame)
    assert np.array_equal(canvas.to_rgb(), expected)


# --- geometry: resize, letterbox, warp ---

# A picture whose luma and whose chroma are the same slope over the frame, a whole number at every
# sample. It is steep: a quarter of a chroma sample out of place is four levels.
SLOPE = np.array([6.0, 2.0, 8.0])  # a pixel across, a pixel down, at the centre of pixel (0, 0)
# How far from the slope each interpolation puts a value, in samples: linear not at all; a warp
# takes the nearest point of a grid of 1/32; OpenCV's cubic kernel (a = -0.75) is not exact.
LOSS = {"linear": 0.0, "warp": 1 / 64, "cubic": 0.0482}


def slope_at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return SLOPE[0] * x + SLOPE[1] * y + SLOPE[2]


def slope_frame(width: int = 32, height: int = 24) -> Nv21Frame:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    luma = slope_at(x, y)
    # The sample of a 2x2 block lies in its middle.
    chroma = slope_at(x[::2, ::2] + 0.5, y[::2, ::2] + 0.5)
    assert luma.max() <= 255
    vu = np.dstack([chroma, 255 - chroma])
    return Nv21Frame(luma.astype(np.uint8), vu.astype(np.uint8), DEFAULT_COLOR)


def check_slope(got: Nv21Frame, inverse: np.ndarray, source: tuple[int, int], loss: float) -> None:
    """Compare `got` with the slope at the source points that `inverse` (2, 3) gives.

    Rounding is half a level, OpenCV's weights in 1/2048 at most as much again; `loss` is in
    samples, which for chroma are two pixels.
    """
    x, y = np.meshgrid(np.arange(got.width, dtype=float), np.arange(got.height, dtype=float))
    for plane, sign, u, v, pixels in (
        (got.y, 1, x, y, 1),
        (got.vu[:, :, 0], 1, x[::2, ::2] + 0.5, y[::2, ::2] + 0.5, 2),
        (got.vu[:, :, 1], -1, x[::2, ::2] + 0.5, y[::2, ::2] + 0.5, 2),
    ):
        from_x = inverse[0, 0] * u + inverse[0, 1] * v + inverse[0, 2]
        from_y = inverse[1, 0] * u + inverse[1, 1] * v + inverse[1, 2]
        # Where all neighbours of a chroma sample lie in the picture.
        inside = (from_x >= 2) & (from_y >= 2)
        inside &= (from_x <= source[0] - 3) & (from_y <= source[1] - 3)
        assert inside.sum() > 4
        expected = slope_at(from_x, from_y)
        expected = expected if sign > 0 else 255 - expected
        tolerance = 1.0 + loss * pixels * SLOPE[:2].sum()
        assert np.abs(plane - expected)[inside].max() <= tolerance


@every_interpolation
def test_resize_to_its_own_size_is_itself(noise: Noise, interpolation: str) -> None:
    frame = noise(0, 16, 12)
    assert frame.resize(16, 12, interpolation) is frame


@pytest.mark.parametrize("size", [(64, 48), (48, 36), (32, 48), (40, 24), (26, 18), (82, 74)])
@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_resize_moves_luma_and_chroma_alike(size: tuple[int, int], interpolation: str) -> None:
    frame = slope_frame()
    scale = np.array([frame.width / size[0], frame.height / size[1]])
    # Pixel edges, not centres, keep their place: (x + 1/2) * scale - 1/2.
    inverse = np.column_stack([np.diag(scale), scale / 2 - 0.5])
    check_slope(frame.resize(*size, interpolation), inverse, frame.size, LOSS[interpolation])


@pytest.mark.parametrize("factor", [2, 4])
def test_area_is_the_mean_of_the_pixels_that_become_one(noise: Noise, factor: int) -> None:
    frame = noise(5, 32, 24)
    small = frame.resize(32 // factor, 24 // factor, "area")
    for plane, got in ((frame.y, small.y), (frame.vu, small.vu)):
        height, width = got.shape[:2]
        blocks = plane.reshape(height, factor, width, factor, *plane.shape[2:])
        assert np.abs(blocks.mean(axis=(1, 3)) - got).max() <= 0.5


@every_interpolation
def test_resize_of_a_smooth_picture_is_that_of_its_rgb(interpolation: str) -> None:
    x, y = np.meshgrid(np.linspace(0, np.pi, 160), np.linspace(0, np.pi, 120))
    rgb = np.dstack([128 + 60 * np.sin(x), 128 + 60 * np.cos(y), 128 + 60 * np.sin(x + y)])
    frame = Nv21Frame.from_rgb(np.rint(rgb).astype(np.uint8), DEFAULT_COLOR)
    for size in ((100, 80), (240, 200)):
        flag = interpolation_flag(interpolation)
        expected = cv2.resize(rgb, size, interpolation=flag)
        got = frame.resize(*size, interpolation).to_rgb()
        # Two roundings of Y, U and V (below 2 x 2.1 levels of blue) and a floor, and the slope,
        # below 1.2 levels a pixel: chroma is shared by two, and nearest takes one a pixel off.
        assert np.abs(got - expected).max() <= 7.5
        assert np.abs(got - expected).mean() < 1.5


def rotation(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """About the middle of the slope's frame, then shifted."""
    matrix = cv2.getRotationMatrix2D((15.5, 11.5), degrees, scale)
    matrix[:, 2] += shift
    return matrix


@given(
    degrees=st.floats(-180, 180),
    scale=st.floats(0.7, 2.0),
    shift=st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
)
def test_a_warp_moves_luma_and_chroma_alike(
    degrees: float, scale: float, shift: tuple[float, float]
) -> None:
    frame = slope_frame()
    matrix = rotation(degrees, scale, shift)
    got = frame.warp_affine(matrix, 32, 24)
    check_slope(got, cv2.invertAffineTransform(matrix), frame.size, LOSS["warp"])


@every_interpolation
def test_warps_that_move_whole_pixels_are_exact(noise: Noise, interpolation: str) -> None:
    frame = noise(6, 48, 36)

    def warped(matrix: list[list[float]], width: int, height: int) -> Nv21Frame:
        return frame.warp_affine(np.array(matrix), width, height, interpolation)

    assert same(warped([[1, 0, 0], [0, 1, 0]], 48, 36), frame)
    assert same(warped([[1, 0, -8], [0, 1, -6]], 30, 20), frame.crop(Rect(8, 6, 30, 20)))
    assert same(warped([[-1, 0, 47], [0, 1, 0]], 48, 36), frame.flip())
    assert same(warped([[0, -1, 35], [1, 0, 0]], 36, 48), frame.rotate(90))
    assert same(warped([[-1, 0, 47], [0, -1, 35]], 48, 36), frame.rotate(180))


def test_a_warp_of_a_smooth_picture_is_that_of_its_rgb() -> None:
    x, y = np.meshgrid(np.linspace(0, np.pi, 160), np.linspace(0, np.pi, 120))
    rgb = np.dstack([128 + 60 * np.sin(x), 128 + 60 * np.cos(y), 128 + 60 * np.sin(x + y)])
    frame = Nv21Frame.from_rgb(np.rint(rgb).astype(np.uint8), DEFAULT_COLOR)
    matrix = cv2.getRotationMatrix2D((80, 60), 20, 0.8)
    expected = cv2.warpAffine(rgb, matrix, (160, 120), borderMode=cv2.BORDER_REPLICATE)
    got = frame.warp_affine(matrix, 160, 120, border="replicate").to_rgb()
    # As for a resize; the slope is a quarter steeper after the scale.
    assert np.abs(got - expected).max() <= 7.5
    assert np.abs(got - expected).mean() < 1.5


@every_color
def test_what_a_warp_does_not_cover_is_black_or_the_edge(noise: Noise, color: Color) -> None:
    frame = noise(7, 16, 12, color)
    right = np.array([[1.0, 0, 16], [0, 1, 0]])
    moved = frame.warp_affine(right, 32, 12)
    assert same(moved.crop(Rect(16, 0, 16, 12)), frame)
    assert (moved.crop(Rect(0, 0, 16, 12)).to_rgb() == 0).all()
    moved = frame.warp_affine(right, 32, 12, border="replicate")
    assert (moved.y[:, :16] == frame.y[:, :1]).all()
    assert (moved.vu[:, :8] == frame.vu[:, :1]).all()


@given(source=st.tuples(evens, evens), target=st.tuples(evens, evens))
def test_the_letterbox_fits_touches_and_is_centred(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    rect = letterbox_rect(source, target)
    assert all(value % 2 == 0 and value >= 0 for value in rect)
    for start, length, whole in (
        (rect.x, rect.width, target[0]),
        (rect.y, rect.height, target[1]),
    ):
        assert 2 <= length <= whole
        assert abs(start - (whole - length - start)) <= 2
    assert rect.width == target[0] or rect.height == target[1]
    scale = min(target[0] / source[0], target[1] / source[1])
    assert abs(rect.width - max(2, source[0] * scale)) <= 1 + 1e-9
    assert abs(rect.height - max(2, source[1] * scale)) <= 1 + 1e-9


@given(source=st.tuples(evens, evens), aspect=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_the_centre_rectangle_is_the_largest_of_its_aspect(
    source: tuple[int, int], aspect: tuple[int, int]
) -> None:
    rect = center_rect(source, aspect)
    assert all(value % 2 == 0 and value >= 0 for value in rect)
    for start, length, whole in (
        (rect.x, rect.width, source[0]),
        (rect.y, rect.height, source[1]),
    ):
        assert 2 <= length <= whole
        assert abs(start - (whole - length - start)) <= 2
    assert rect.width == source[0] or rect.height == source[1]
    # Cut to even numbers: less than two pixels are lost. The least is a block of 2x2.
    exact = min(source[0], source[1] * aspect[0] / aspect[1])
    assert exact - 2 < rect.width <= max(exact, 2)
    exact = min(source[1], source[0] * aspect[1] / aspect[0])
    assert exact - 2 < rect.height <= max(exact, 2)


@every_color
@pytest.mark.parametrize("size", [(32, 32), (64, 24), (20, 46)])
def test_the_letterbox_is_the_picture_on_black(
    noise: Noise, color: Color, size: tuple[int, int]
) -> None:
    frame = noise(8, 40, 24, color)
    boxed = frame.letterbox(*size)
    rect = letterbox_rect(frame.size, size)
    assert boxed.color == color
    assert same(boxed.crop(rect), frame.resize(rect.width, rect.height))
    rgb = boxed.to_rgb()
    rgb[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = 0
    assert not rgb.any()


def test_the_letterbox_moves_luma_and_chroma_alike() -> None:
    frame = slope_frame()
    boxed = frame.letterbox(48, 48)
    rect = letterbox_rect(frame.size, (48, 48))
    scale = np.array([frame.width / rect.width, frame.height / rect.height])
    shift = scale * (0.5 - np.array([rect.x, rect.y])) - 0.5
    check_slope(boxed, np.column_stack([np.diag(scale), shift]), frame.size, LOSS["linear"])


@pytest.mark.parametrize(
    "operation",
    [
        lambda frame, size: frame.resize(*size),
        lambda frame, size: frame.letterbox(*size),
        lambda frame, size: frame.warp_affine(np.eye(2, 3), *size),
        lambda frame, size: Nv21Frame.empty(*size, frame.color),
    ],
    ids=["resize", "letterbox", "warp", "empty"],
)
@pytest.mark.parametrize("size", [(15, 12), (16, 11), (0, 2), (2, 0), (-4, 4)])
def test_odd_and_empty_sizes_are_refused(
    noise: Noise, operation: Callable[..., object], size: tuple[int, int]
) -> None:
    with pytest.raises(FrameError, match=r"not even|too small"):
        operation(noise(0, 16, 12), size)


def test_unknown_words_name_the_nearest_known(noise: Noise) -> None:
    frame = noise(0, 16, 12)
    for attempt in (
        lambda: frame.resize(8, 8, "lineer"),
        lambda: frame.letterbox(8, 8, "lineer"),
        lambda: frame.warp_affine(np.eye(2, 3), 8, 8, "lineer"),
    ):
        with pytest.raises(FrameError, match=r"interpolation 'lineer'.*did you mean 'linear'"):
            attempt()
    with pytest.raises(FrameError, match=r"border 'constnt'.*did you mean 'constant'"):
        frame.warp_affine(np.eye(2, 3), 8, 8, border="constnt")
    with pytest.raises(FrameError, match=r"\(2, 3\), got \(3, 3\)"):
        frame.warp_affine(np.eye(3), 8, 8)


# --- colour ---


@pytest.mark.parametrize("source", COLORS, ids=str)
@pytest.mark.parametrize("target", COLORS, ids=str)
def test_recolour_is_the_definition_rounded_once(
    noise: Noise, itu: SimpleNamespace, source: Color, target: Color
) -> None:
    for seed, extreme in ((0, False), (1, False), (2, True)):
        frame = noise(seed, 46, 30, source, extreme)
        got = frame.recolor(target)
        assert got.color == target
        exact = itu.yuv(itu.rgb(itu.full_size(frame), source), target).clip(0, 255)
        # Half a level is the rounding; the rest is float32.
        assert np.abs(got.y - exact[:, :, 0]).max() <= 0.5 + 1e-4
        assert np.abs(got.vu - exact[::2, ::2, [2, 1]]).max() <= 0.5 + 1e-4


def test_recolour_to_its_own_is_itself(noise: Noise) -> None:
    frame = noise(0, 8, 6, FULL)
    assert frame.recolor(FULL) is frame


def test_recolour_to_full_range_and_back_loses_nothing(noise: Noise) -> None:
    y = np.tile(np.arange(16, 236, dtype=np.uint8), (2, 1))
    chroma = np.arange(16, 236, 2, dtype=np.uint8)
    frame = Nv21Frame(y, np.dstack([chroma, chroma[::-1]]).reshape(1, -1, 2), DEFAULT_COLOR)
    assert same(frame.recolor(FULL).recolor(DEFAULT_COLOR), frame)


# --- any planes will do ---


OPERATIONS: dict[str, Callable[[Nv21Frame], object]] = {
    "pack": Nv21Frame.pack,
    "to_nv12": Nv21Frame.to_nv12,
    "to_i420": Nv21Frame.to_i420,
    "to_rgb": Nv21Frame.to_rgb,
    "to_bgr": Nv21Frame.to_bgr,
    "crop": lambda frame: frame.crop(Rect(2, 4, 6, 4)),
    "flip": Nv21Frame.flip,
    **{f"rotate {turn}": lambda frame, turn=turn: frame.rotate(turn) for turn in (0, 90, 180, 270)},
    **{
        f"resize {name}": lambda frame, name=name: frame.resize(14, 26, name)
        for name in INTERPOLATIONS
    },
    **{
        f"warp {border}": lambda frame, border=border: frame.warp_affine(
            rotation(20, 0.8, (1, 2)), 20, 14, border=border
        )
        for border in ("constant", "replicate")
    },
    "letterbox": lambda frame: frame.letterbox(18, 30),
    **{f"to {color}": lambda frame, color=color: frame.recolor(color) for color in COLORS},
    "paste": lambda frame: Nv21Frame.filled(*frame.size, frame.color, (1, 2, 3)).paste(frame),
}


def arrays_of(result: object) -> list[np.ndarray]:
    if isinstance(result, Nv21Frame):
        return [result.y, result.vu]
    return [] if result is None else [np.asarray(result)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_read_only_and_strided_planes_work_and_stay_as_they_are(noise: Noise, name: str) -> None:
    wide = noise(9, 40, 30)
    y, vu = np.flip(wide.y[:, :24]), np.flip(wide.vu[:, :12], axis=(0, 1))
    frames = {
        "contiguous": copy_of(Nv21Frame(wide.y[:, 8:32], wide.vu[:, 4:16], wide.color)),
        "part": wide.crop(Rect(8, 0, 24, 30)),
        "turned": Nv21Frame(y, vu, wide.color),
    }
    for frame in frames.values():
        before = copy_of(frame)
        expected = arrays_of(OPERATIONS[name](before))
        frame.y.flags.writeable = frame.vu.flags.writeable = False
        got = arrays_of(OPERATIONS[name](frame))
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            assert np.array_equal(one, other)
        assert same(frame, before)


@pytest.mark.parametrize("size", [(2, 2), (2, 8), (8, 2), (4, 4)])
def test_the_smallest_frames_work(noise: Noise, size: tuple[int, int]) -> None:
    frame = noise(10, *size)
    assert frame.resize(6, 4).size == (6, 4)
    assert frame.letterbox(8, 8).size == (8, 8)
    assert frame.rotate(90).size == size[::-1]
    assert same(frame.flip().flip(), frame)
    assert same(frame.warp_affine(np.eye(2, 3), *size), frame)
    assert frame.to_rgb().shape == (size[1], size[0], 3)
    assert Nv21Frame.from_rgb(frame.to_rgb(), FULL).size == size
    assert frame.recolor(Color(Matrix.BT709, Range.FULL)).size == size


# --- what is no frame ---


def planes(y: tuple[int, ...], vu: tuple[int, ...], dtype: str = "uint8") -> tuple:
    return np.zeros(y, dtype), np.zeros(vu, np.uint8)


@pytest.mark.parametrize(
    ("given_planes", "message"),
    [
        (planes((4, 5), (2, 2, 2)), "frame size 5x4 is not even"),
        (planes((5, 4), (2, 2, 2)), "frame size 4x5 is not even"),
        (planes((0, 4), (0, 2, 2)), "not empty"),
        (planes((4, 4, 1), (2, 2, 2)), r"y must be \(H, W\)"),
        (planes((4, 4), (2, 2)), r"vu must be"),
        (planes((4, 4), (2, 4, 1)), r"vu must be"),
        (planes((4, 4), (4, 4, 2)), r"vu must be \(H/2, W/2, 2\) of y \(4, 4\)"),
        (planes((4, 6), (3, 2, 2)), r"vu must be"),
        (planes((4, 4), (2, 2, 2), "int8"), "must be uint8, not int8"),
        (planes((4, 4), (2, 2, 2), "float32"), "must be uint8, not float32"),
        (planes((4, 4), (2, 2, 2))[::-1], r"y must be"),
    ],
)
def test_planes_that_are_no_frame_are_refused(given_planes: tuple, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        Nv21Frame(*given_planes, DEFAULT_COLOR)


@pytest.mark.parametrize("layout", ["from_packed", "from_nv12", "from_i420"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((6, 5), "uint8"),
        ((7, 4), "uint8"),
        ((9, 3), "uint8"),
        ((0, 4), "uint8"),
        ((3, 0), "uint8"),
        ((24,), "uint8"),
        ((3, 4, 1), "uint8"),
        ((6, 4), "int16"),
    ],
    ids=str,
)
def test_bytes_that_are_no_picture_are_refused(
    layout: str, shape: tuple[int, ...], dtype: str
) -> None:
    with pytest.raises(FrameError):
        getattr(Nv21Frame, layout)(np.zeros(shape, dtype), DEFAULT_COLOR)


@pytest.mark.parametrize("channels", ["from_rgb", "from_bgr"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((4, 5, 3), "uint8"),
        ((5, 4, 3), "uint8"),
        ((4, 4), "uint8"),
        ((4, 4, 4), "uint8"),
        ((4, 4, 3), "float32"),
        ((0, 4, 3), "uint8"),
    ],
    ids=str,
)
def test_a_picture_that_is_not_rgb_is_refused(
    channels: str, shape: tuple[int, ...], dtype: str
) -> None:
    with pytest.raises(FrameError):
        getattr(Nv21Frame, channels)(np.zeros(shape, dtype), DEFAULT_COLOR)


def test_a_frame_reads_as_words() -> None:
    frame = Nv21Frame.filled(6, 4, FULL, (10, 20, 30))
    assert repr(frame) == "Nv21Frame(6x4, bt601 full)"
    assert (frame.y == 10).all()
    assert frame.vu[0, 0].tolist() == [30, 20]
