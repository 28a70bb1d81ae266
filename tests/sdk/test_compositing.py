"""Compositing on planes against a plain float RGB reference."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.compositing import (
    Matte,
    TemporalFilter,
    blend,
    guided_filter,
    sharpen_edge,
    shrink,
    to_8bit,
)
from npukit.errors import FrameError
from npukit.frame import Nv21Frame, Rect

COLORS = [Color(matrix, range_) for matrix in Matrix for range_ in Range]
Noise = Callable[..., Nv21Frame]
seeds = st.integers(0, 2**32 - 1)
evens = st.integers(1, 20).map(lambda half: 2 * half)

# How far a blend may be from exact arithmetic, in levels. Luma: each of the two products is rounded
# once, half a level each. Chroma: the same, and its alpha, the mean of a block, is rounded
# to 1/255, half of which moves the blend by at most 0.5 / 255 of the difference of two bytes,
# another half level. The small part is float32.
LUMA_BOUND = 1.0 + 1e-3
CHROMA_BOUND = 1.5 + 1e-3


def some_alpha(seed: int, height: int, width: int, kind: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    alpha = random.integers(0, 256, (height, width), np.uint8)
    if kind == "extreme":
        return np.where(alpha < 128, 0, 255).astype(np.uint8)
    if kind == "sparse":
        alpha[random.random(alpha.shape) < 0.9] = 0
    if kind == "blob":
        top, left = random.integers(0, (height, width))
        bottom, right = random.integers((top, left), (height + 1, width + 1))
        inside = np.zeros_like(alpha)
        inside[top:bottom, left:right] = alpha[top:bottom, left:right]
        return inside
    return alpha


kinds = st.sampled_from(["noise", "extreme", "sparse", "blob"])


def float_blend(
    itu: SimpleNamespace, front: Nv21Frame, back: Nv21Frame, alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Blend pixel by pixel in unclipped float RGB; give luma, and V and U as block means."""
    front_rgb, back_rgb = (itu.rgb(itu.full_size(frame), frame.color) for frame in (front, back))
    share = alpha[:, :, np.newaxis] / 255.0
    yuv = itu.yuv(share * front_rgb + (1.0 - share) * back_rgb, front.color)
    return yuv[:, :, 0], itu.block_mean(yuv[:, :, [2, 1]])


# --- blend ---


@given(
    seed=seeds,
    width=evens,
    height=evens,
    color=st.sampled_from(COLORS),
    extreme=st.booleans(),
    kind=kinds,
)
def test_a_blend_is_that_of_float_rgb(
    noise: Noise,
    itu: SimpleNamespace,
    seed: int,
    width: int,
    height: int,
    color: Color,
    extreme: bool,
    kind: str,
) -> None:
    front = noise(seed, width, height, color, extreme)
    back = noise(seed + 1, width, height, color, extreme)
    alpha = some_alpha(seed, height, width, kind)
    out = blend(front, back, Matte(alpha, (width, height)))
    luma, chroma = float_blend(itu, front, back, alpha)
    assert out.color == color
    assert np.abs(out.y - luma).max() <= LUMA_BOUND
    assert np.abs(out.vu - chroma).max() <= CHROMA_BOUND
    assert np.array_equal(out.y[alpha == 255], front.y[alpha == 255])
    assert np.array_equal(out.y[alpha == 0], back.y[alpha == 0])
    blocks = itu.block_mean(alpha)
    assert np.array_equal(out.vu[blocks == 255], front.vu[blocks == 255])
    assert np.array_equal(out.vu[blocks == 0], back.vu[blocks == 0])


@given(seed=seeds, small=st.tuples(st.integers(1, 30), st.integers(1, 30)), kind=kinds)
def test_a_blend_with_an_alpha_of_another_size(
    noise: Noise, itu: SimpleNamespace, seed: int, small: tuple[int, int], kind: str
) -> None:
    front, back = noise(seed, 38, 26), noise(seed + 1, 38, 26)
    alpha = some_alpha(seed, *small, kind)
    out = blend(front, back, Matte(alpha, (38, 26)))
    luma, chroma = float_blend(itu, front, back, cv2.resize(alpha, (38, 26)))
    assert np.abs(out.y - luma).max() <= LUMA_BOUND
    assert np.abs(out.vu - chroma).max() <= CHROMA_BOUND


@pytest.mark.parametrize("value", range(256))
def test_every_pair_of_values_at_every_alpha(value: int) -> None:
    front, back = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    vu = np.zeros((128, 128, 2), np.uint8)
    matte = Matte(np.full((1, 1), value, np.uint8), (256, 256))
    out = blend(Nv21Frame(front, vu, DEFAULT_COLOR), Nv21Frame(back, vu, DEFAULT_COLOR), matte)
    exact = (value * front.astype(float) + (255 - value) * back.astype(float)) / 255
    assert np.abs(out.y - exact).max() <= LUMA_BOUND
    if value in (0, 255):
        assert np.array_equal(out.y, front if value else back)


def test_a_blend_of_a_picture_with_itself_is_within_a_level(noise: Noise) -> None:
    frame = noise(1, 40, 30)
    alpha = some_alpha(1, 30, 40, "noise")
    out = blend(frame, frame, Matte(alpha, frame.size))
    assert np.abs(out.y.astype(int) - frame.y).max() <= 1
    assert np.abs(out.vu.astype(int) - frame.vu).max() <= 1


def test_out_is_written_and_the_inputs_are_not(noise: Noise) -> None:
    front, back, out = noise(1, 40, 30), noise(2, 40, 30), noise(3, 40, 30)
    alpha = some_alpha(1, 15, 20, "noise")
    matte = Matte(alpha, front.size)
    expected = blend(front, back, matte)
    for plane in (front.y, front.vu, back.y, back.vu, matte.y, matte.vu, alpha):
        plane.flags.writeable = False
    assert blend(front, back, matte, out) is out
    for one, other in ((out.y, expected.y), (out.vu, expected.vu)):
        assert np.array_equal(one, other)
    assert not np.shares_memory(expected.y, back.y)


def test_out_may_be_a_part_of_a_canvas(noise: Noise) -> None:
    front, back, canvas = noise(1, 40, 30), noise(2, 40, 30), noise(3, 100, 50)
    before = Nv21Frame(canvas.y.copy(), canvas.vu.copy(), canvas.color)
    matte = Matte(some_alpha(1, 9, 16, "blob"), front.size)
    expected = blend(front, back, matte)
    rect = Rect(52, 12, 40, 30)
    blend(front, back, matte, canvas.crop(rect))
    assert np.array_equal(canvas.crop(rect).pack(), expected.pack())
    before.crop(rect).paste(expected)
    assert np.array_equal(canvas.pack(), before.pack())


def test_parts_of_wider_frames_are_blended_in_place(noise: Noise) -> None:
    rect = Rect(6, 4, 40, 30)
    front, back = noise(1, 60, 40).crop(rect), noise(2, 60, 40).crop(rect)
    matte = Matte(some_alpha(1, 9, 16, "noise"), front.size)
    copies = [Nv21Frame(frame.y.copy(), frame.vu.copy(), frame.color) for frame in (front, back)]
    expected = blend(*copies, matte)
    assert np.array_equal(blend(front, back, matte).pack(), expected.pack())


def test_sizes_that_differ_are_refused(noise: Noise) -> None:
    frame, other = noise(0, 8, 6), noise(0, 8, 8)
    matte, larger = (Matte(np.full((3, 4), 9, np.uint8), size) for size in ((8, 6), (8, 8)))
    for arguments in ((other, frame, matte), (frame, other, matte), (frame, frame, larger)):
        with pytest.raises(FrameError, match="differ in size"):
            blend(*arguments)
    before = other.pack()
    with pytest.raises(FrameError, match="cannot put 8x6 into 8x8"):
        blend(frame, frame, matte, other)
    assert np.array_equal(other.pack(), before)


def test_colours_that_differ_are_refused(noise: Noise) -> None:
    frame, full = noise(0, 8, 6), noise(0, 8, 6, Color(Matrix.BT601, Range.FULL))
    matte = Matte(np.full((3, 4), 9, np.uint8), (8, 6))
    with pytest.raises(FrameError, match=r"bt601 limited, background bt601 full.*recolor"):
        blend(frame, full, matte)
    with pytest.raises(FrameError, match="cannot put bt601 limited into bt601 full"):
        blend(frame, frame, matte, full)


# --- the matte ---


def check_matte(alpha: np.ndarray, size: tuple[int, int]) -> None:
    """Compare with the resized whole.

    OpenCV finds source coordinates in float32, so an offset may move a weight that lies between
    two multiples of 1/2048 to the other one: a level, and only where the value is a tie.
    """
    matte = Matte(alpha, size)
    whole = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
    difference = np.abs(matte.to_plane().astype(int) - whole)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= difference.size * 1e-5
    if matte.rect is None:
        assert not whole.any()
        return
    x, y, width, height = matte.rect
    assert matte.y.shape == (height, width)
    assert matte.vu.shape == (height // 2, width // 2, 2)
    # Its values are the rounded means of the blocks, the same for V and U.
    blocks = matte.y.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    for channel in range(2):
        assert np.abs(matte.vu[:, :, channel] - blocks).max() <= 0.5
    assert np.array_equal(matte.vu[:, :, 0], matte.vu[:, :, 1])
    assert x % 2 == y % 2 == 0
    assert 0 <= x <= x + width <= size[0]
    assert 0 <= y <= y + height <= size[1]


@given(
    seed=seeds,
    small=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    width=st.integers(1, 60).map(lambda half: 2 * half),
    height=st.integers(1, 60).map(lambda half: 2 * half),
    kind=kinds,
)
def test_a_matte_is_the_whole_alpha_resized(
    seed: int, small: tuple[int, int], width: int, height: int, kind: str
) -> None:
    check_matte(some_alpha(seed, *small, kind), (width, height))


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 480), (1278, 718), (1282, 722)])
@pytest.mark.parametrize("small", [(144, 256), (256, 256), (143, 257), (97, 101), (180, 320)])
def test_a_matte_of_a_real_size_is_the_whole_alpha_resized(
    small: tuple[int, int], size: tuple[int, int]
) -> None:
    # With 256 columns to 1278 the grids meet at the ends alone, with 257 to 1282 likewise.
    for seed in range(3):
        check_matte(some_alpha(seed, *small, "blob"), size)


def test_a_matte_holds_little_more_than_what_is_not_zero() -> None:
    alpha = np.zeros((144, 256), np.uint8)
    alpha[80:100, 120:150] = 200
    rect = Matte(alpha, (1280, 720)).rect
    # A cell is five pixels, two cells meet the even grid: within three cells on each side.
    assert rect is not None
    assert 585 <= rect.x <= 595
    assert 755 <= rect.x + rect.width <= 765
    assert 385 <= rect.y <= 395
    assert 505 <= rect.y + rect.height <= 515


def test_an_empty_matte_shows_the_background(noise: Noise) -> None:
    front, back = noise(1, 40, 30), noise(2, 40, 30)
    matte = Matte(np.zeros((9, 16), np.uint8), (40, 30))
    assert matte.rect is None
    assert matte.y.size == matte.vu.size == 0
    assert matte.to_plane().shape == (30, 40)
    assert not matte.to_plane().any()
    out = blend(front, back, matte)
    assert np.array_equal(out.pack(), back.pack())
    assert not np.shares_memory(out.y, back.y)


@pytest.mark.parametrize(
    "alpha",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((1, 4, 4), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "3d", "empty", "1d"],
)
def test_an_alpha_that_is_none_is_refused(alpha: np.ndarray) -> None:
    with pytest.raises(FrameError, match=r"alpha is \(h, w\) uint8"):
        Matte(alpha, (8, 8))


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (1, 1, 5, 7), (1, 1)])
def test_to_8bit_takes_the_shapes_of_networks(shape: tuple[int, ...]) -> None:
    alpha = np.random.default_rng(0).uniform(-0.5, 1.5, shape).astype(np.float32)
    got = to_8bit(alpha)
    assert got.dtype == np.uint8
    assert got.shape == shape[-2:]
    exact = 255.0 * np.clip(alpha.astype(float), 0, 1).reshape(shape[-2:])
    assert np.abs(got - exact).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (2, 5, 7), (7,)])
def test_to_8bit_refuses_more_than_one_plane(shape: tuple[int, ...]) -> None:
    with pytest.raises(FrameError, match="alpha is one plane"):
        to_8bit(np.zeros(shape, np.float32))


def test_to_8bit_keeps_its_ends() -> None:
    alpha = np.array([[0.0, 1.0, -7.0, 7.0, 1e9, -1e9, np.inf, -np.inf]], np.float32)
    assert to_8bit(alpha).tolist() == [[0, 255, 0, 255, 255, 0, 255, 0]]
    levels = np.arange(256, dtype=np.float32)[np.newaxis] / np.float32(255)
    assert to_8bit(levels).tolist() == [list(range(256))]


# --- temporal smoothing ---


def levels(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.9, 0.99])
def test_a_constant_alpha_stays(strength: float) -> None:
    smooth = TemporalFilter(strength)
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    alpha.flags.writeable = False
    for _ in range(20):
        assert np.array_equal(smooth(alpha), alpha)


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.9, 0.99])
def test_a_large_change_is_followed_at_once(strength: float) -> None:
    smooth = TemporalFilter(strength)
    smooth(levels(0, 255, 10, 200))
    # Strength x 255 / 4 and more counts as motion: 64 levels for any strength.
    assert smooth(levels(255, 0, 74, 136)).tolist() == [[255, 0, 74, 136]]


def test_no_smoothing_gives_what_it_takes() -> None:
    smooth = TemporalFilter(0.0)
    for seed in range(10):
        alpha = some_alpha(seed, 9, 16, "noise")
        assert np.array_equal(smooth(alpha), alpha)


def test_flicker_is_damped_and_a_slow_change_is_followed() -> None:
    smooth = TemporalFilter(0.8)
    flicker = [int(smooth(levels(128 + 4 * (-1) ** frame))[0, 0]) for frame in range(60)]
    assert np.ptp(flicker[30:]) <= 3  # of 8
    smooth.reset()
    smooth(levels(100))
    steps = [int(smooth(levels(110))[0, 0]) for _ in range(40)]
    assert steps == sorted(steps)
    assert steps[0] < 106
    assert steps[-1] == 110


@given(seed=seeds, strength=st.floats(0, 0.99))
def test_the_smoothed_alpha_lies_between_the_last_and_the_new(seed: int, strength: float) -> None:
    smooth = TemporalFilter(strength)
    before = smooth(some_alpha(seed, 4, 6, "noise")).astype(int)
    new = some_alpha(seed + 1, 4, 6, "noise")
    after = smooth(new)
    assert after.dtype == np.uint8
    assert (after >= np.minimum(before, new) - 1).all()
    assert (after <= np.maximum(before, new) + 1).all()


def test_reset_and_another_size_start_anew() -> None:
    smooth = TemporalFilter(0.9)
    smooth(levels(0, 0))
    assert smooth(levels(20, 20)).max() < 20
    smooth.reset()
    assert smooth(levels(20, 20)).tolist() == [[20, 20]]
    assert smooth(levels(30, 30, 30)).tolist() == [[30, 30, 30]]


@pytest.mark.parametrize("strength", [-0.1, 1.0, 2.0, float("nan")])
def test_a_strength_that_never_follows_is_refused(strength: float) -> None:
    with pytest.raises(FrameError, match=r"\[0, 1\)"):
        TemporalFilter(strength)


def test_where_luma_stands_still_even_a_large_change_is_damped() -> None:
    smooth = TemporalFilter(0.5)
    luma = np.random.default_rng(0).integers(40, 200, (90, 160), np.uint8)
    first, second = (np.full((18, 32), value, np.uint8) for value in (0, 200))
    smooth(first, luma)
    assert np.array_equal(smooth(second, luma), np.full_like(first, 100))


def test_where_luma_moves_alpha_is_followed() -> None:
    smooth = TemporalFilter(0.5)
    luma = np.full((90, 160), 60, np.uint8)
    first, second = (np.full((18, 32), value, np.uint8) for value in (0, 200))
    smooth(first, luma)
    moved = luma.copy()
    moved[:, :80] = 120
    got = smooth(second, moved)
    assert (got[:, :15] == 200).all()
    assert (got[:, 17:] == 100).all()


def test_noise_of_luma_is_no_motion() -> None:
    random = np.random.default_rng(1)
    smooth = TemporalFilter(0.8)
    first, second = (np.full((72, 128), value, np.uint8) for value in (100, 200))
    for alpha in (first, second):
        luma = np.clip(np.rint(random.normal(100, 5, (720, 1280))), 0, 255).astype(np.uint8)
        got = smooth(alpha, luma)
    assert got.mean() < 100 + 0.35 * 100, "0.2 of the change, were there no noise"


def test_without_luma_alpha_alone_decides() -> None:
    luma = np.full((90, 160), 60, np.uint8)
    first, second = (np.full((18, 32), value, np.uint8) for value in (0, 200))
    for lumas in ((None, luma), (luma, None)):
        smooth = TemporalFilter(0.9)
        smooth(first, lumas[0])
        assert np.array_equal(smooth(second, lumas[1]), second)
    smooth = TemporalFilter(0.9)
    smooth(first, luma)
    smooth.reset()
    assert np.array_equal(smooth(second, luma), second)


# --- shrink ---


def test_shrinking_by_halves_is_the_mean_of_blocks() -> None:
    plane = np.random.default_rng(2).integers(0, 256, (64, 96), np.uint8)
    got = shrink(plane, (24, 16))
    # Each of the two halvings rounds.
    assert np.abs(got - plane.reshape(16, 4, 24, 4).mean(axis=(1, 3))).max() <= 1.0
    assert shrink(plane, (96, 64)) is plane


@pytest.mark.parametrize("size", [(256, 144), (100, 37), (97, 50), (1280, 9), (1, 1)])
def test_shrinking_keeps_a_constant_and_the_mean(size: tuple[int, int]) -> None:
    assert (shrink(np.full((720, 1280), 77, np.uint8), size) == 77).all()
    ramp = np.tile(np.linspace(0, 255, 1280), (720, 1)).astype(np.uint8)
    got = shrink(ramp, size)
    assert got.shape == size[::-1]
    assert abs(float(got.mean()) - 127.5) < 2
    pair = shrink(np.dstack([ramp, 255 - ramp]), size)
    assert pair.shape == (*size[::-1], 2)


# --- edges ---


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.75), (0.0, 1.0), (0.1, 0.3), (0.9, 1.0)])
def test_sharpening_is_the_smoothstep(low: float, high: float) -> None:
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    alpha.flags.writeable = False
    steeper = sharpen_edge(alpha, low, high).ravel().astype(int)
    assert steeper[0] == 0
    assert steeper[-1] == 255
    assert (np.diff(steeper) >= 0).all()
    share = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    assert np.abs(steeper - 255 * (3 * share**2 - 2 * share**3)).max() <= 0.5 + 1e-6


def test_sharpening_between_equal_ends_is_a_threshold() -> None:
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    steeper = sharpen_edge(alpha, 0.5, 0.5).ravel()
    assert (steeper[:128] == 0).all()
    assert (steeper[128:] == 255).all()


@pytest.mark.parametrize("value", [0, 1, 77, 254, 255])
def test_the_guided_filter_keeps_a_constant_alpha(noise: Noise, value: int) -> None:
    luma = noise(0, 128, 72).y
    luma.flags.writeable = False
    got = guided_filter(np.full((18, 32), value, np.uint8), luma)
    assert got.shape == luma.shape
    assert got.dtype == np.uint8
    assert (got == value).all()


def test_the_guided_filter_of_a_flat_picture_only_blurs(noise: Noise) -> None:
    alpha = np.zeros((18, 32), np.uint8)
    alpha[:, 16:] = 255
    got = guided_filter(alpha, np.full((72, 128), 90, np.uint8), radius=1)
    assert (np.diff(got.astype(int), axis=1) >= 0).all()
    assert (got[:, :32] == 0).all()
    assert (got[:, -32:] == 255).all()


def mean_error(alpha: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(alpha.astype(float) - truth).mean())


@pytest.mark.parametrize(("dark", "bright"), [(60, 180), (200, 40)])
def test_the_guided_filter_draws_a_blurred_edge_to_that_of_luma(dark: int, bright: int) -> None:
    truth = np.zeros((144, 256), np.uint8)
    cv2.circle(truth, (120, 70), 45, 255, -1)
    luma = np.where(truth > 0, bright, dark).astype(np.uint8)
    small = cv2.GaussianBlur(cv2.resize(truth, (64, 36), interpolation=cv2.INTER_AREA), (0, 0), 1)
    plain = cv2.resize(small, (256, 144))
    assert mean_error(guided_filter(small, luma), truth) < 0.8 * mean_error(plain, truth)
    # An alpha that is coarse but not blurred comes out several times better.
    small = cv2.resize(truth, (64, 36), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(small, (256, 144))
    assert mean_error(guided_filter(small, luma), truth) < 0.25 * mean_error(plain, truth)


@pytest.mark.parametrize("name", ["22fc0130", "514ca06a"])
def test_filtered_and_sharpened_a_soft_alpha_of_a_real_portrait_is_nearer_the_truth(
    shared_data: Callable[[str], Path], name: str
) -> None:
    photo = cv2.imread(str(shared_data(f"matte/p3m_{name}.jpg")))
    truth = cv2.imread(str(shared_data(f"matte/p3m_{name}_alpha.png")), cv2.IMREAD_GRAYSCALE)
    size = (640, round(640 * photo.shape[0] / photo.shape[1] / 4) * 4)
    photo, truth = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (photo, truth))
    small = cv2.resize(truth, (160, size[1] // 4), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 1.5)
    refined = sharpen_edge(guided_filter(soft, Nv21Frame.from_bgr(photo, DEFAULT_COLOR).y))
    assert mean_error(refined, truth) < 0.6 * mean_error(cv2.resize(soft, size), truth)
