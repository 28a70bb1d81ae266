"""The edge by colour: against a slow reference, and what it must and must not do."""

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit import color_edge
from npukit.color import DEFAULT_COLOR
from npukit.color_edge import ColorEdge
from npukit.compositing import Matte, sharpen_edge
from npukit.errors import FrameError
from npukit.frame import Nv21Frame

Noise = Callable[..., Nv21Frame]
SIZE = (640, 360)
seeds = st.integers(0, 2**32 - 1)


def disc(size: tuple[int, int], x: float = 0.5) -> np.ndarray:
    """A disc, 0 and 255, with an edge of one pixel."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    away = np.hypot(columns + 0.5 - x * width, rows + 0.5 - 0.5 * height)
    return np.rint(255 * np.clip(0.3 * height - away + 0.5, 0, 1)).astype(np.uint8)


def scene(truth: np.ndarray, inside: tuple[int, int, int], outside: tuple[int, int, int]):
    """The frame of one colour where `truth` is 255 and of another where it is 0; (Y, V, U)."""
    share = truth[:, :, np.newaxis] / 255.0
    yvu = np.rint(share * np.array(inside) + (1 - share) * np.array(outside)).astype(np.uint8)
    half = cv2.resize(yvu, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Nv21Frame(yvu[:, :, 0].copy(), half[:, :, 1:].copy(), DEFAULT_COLOR)


def with_noise(frame: Nv21Frame, seed: int, levels: float = 3.0) -> Nv21Frame:
    random = np.random.default_rng(seed)
    planes = [
        np.clip(np.rint(plane + levels * random.standard_normal(plane.shape)), 0, 255)
        for plane in (frame.y, frame.vu)
    ]
    return Nv21Frame(*(plane.astype(np.uint8) for plane in planes), color=frame.color)


def coarse(truth: np.ndarray, shift: int = 2, size: tuple[int, int] = (128, 72)) -> np.ndarray:
    """As a network sees it: small, blurred, and beside its place."""
    small = cv2.resize(truth, size, interpolation=cv2.INTER_AREA)
    return np.roll(cv2.GaussianBlur(small, (0, 0), 1.2), shift, axis=1)


def error(alpha: np.ndarray, truth: np.ndarray) -> float:
    return float(cv2.absdiff(cv2.resize(alpha, truth.shape[::-1]), truth).mean()) / 255


# --- against a slow reference -----------------------------------------------------------------


def reference(alpha: np.ndarray, view: Nv21Frame) -> np.ndarray:
    """One frame in float64, each cell solved by itself: numpy's least squares over its samples.

    For views no larger than the result.
    """
    firm = sharpen_edge(alpha)
    height, width = (max(side // 2, 1) for side in alpha.shape)
    y, vu = (cv2.resize(plane, (width, height)) for plane in (view.y, view.vu))
    samples = np.dstack([y, vu]).astype(np.float64) / 255
    target = cv2.resize(firm, (width, height), interpolation=cv2.INTER_AREA) / 255.0
    rows, columns = (np.pad(np.arange(n), 3, "reflect") for n in (height, width))
    found = np.empty((height, width, 5))
    for row in range(height):
        for column in range(width):
            window = np.ix_(rows[row : row + 7], columns[column : column + 7])
            colours, wanted = samples[window].reshape(-1, 3), target[window].ravel()
            mean, middle = colours.mean(axis=0), wanted.mean()
            # 49 samples, and for each channel one of size sqrt(49 * noise) that should give 0.
            matrix = np.vstack([colours - mean, np.sqrt(49 * 1e-4) * np.eye(3)])
            slope = np.linalg.lstsq(matrix, np.r_[wanted - middle, np.zeros(3)], rcond=None)[0]
            explained = slope @ ((colours - mean).T @ (wanted - middle)) / 49
            trust = min(explained / (0.25 * (middle * (1 - middle) + 1e-3)), 1.0)
            found[row, column] = *(trust * slope), trust * (middle - slope @ mean), trust
    found = cv2.blur(found, (3, 3))
    found[:, :, 3] += (1 - found[:, :, 4]) * target
    large = cv2.resize(found, view.size)
    colours = np.dstack([view.y, cv2.resize(view.vu, view.size)]) / 255.0
    fitted = 1.5 * ((large[:, :, :3] * colours).sum(axis=2) + large[:, :, 3] - 0.5) + 0.5
    lowest, highest = (
        cv2.resize(bound(firm, np.ones((5, 5), np.uint8)), view.size) / 255.0
        for bound in (cv2.erode, cv2.dilate)
    )
    return 255 * np.minimum(np.maximum(np.clip(fitted, 0, 1), lowest), highest)


@given(seed=seeds, x=st.floats(0.0, 1.0))
def test_it_is_the_regression_of_each_window(noise: Noise, seed: int, x: float) -> None:
    size = (64, 36)
    truth = disc(size, x)
    view = noise(seed, *size)
    view.y[truth > 128] = view.y[truth > 128] // 4 + 180
    got = ColorEdge()(truth, view)
    assert got.shape == truth.shape
    expected = reference(truth, view)
    # OpenCV scales bytes with 11 bits, and the solution amplifies float32's rounding a little.
    assert np.abs(got - expected).max() <= 2.0


@pytest.mark.parametrize("view_size", [(640, 360), (1280, 720), (322, 240), (64, 36)])
def test_scaling_the_part_gives_what_scaling_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, view_size: tuple[int, int]
) -> None:
    truth = disc(view_size, 0.3)
    view = with_noise(scene(truth, (200, 90, 150), (60, 140, 110)), 1)
    part = ColorEdge()(coarse(truth), view)

    def whole(profile: np.ndarray, *grids: int) -> tuple[slice, ...]:
        return tuple(slice(0, size) for size in (len(profile), *grids))

    monkeypatch.setattr(color_edge, "_span", whole)
    difference = cv2.absdiff(part, ColorEdge()(coarse(truth), view))
    assert difference.max() <= 1, "of OpenCV's coordinates in float32"
    assert np.count_nonzero(difference) < 0.002 * difference.size


# --- what it is for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((200, 128, 128), (60, 128, 128)),
        ((60, 128, 128), (200, 128, 128)),
        ((120, 160, 100), (120, 100, 150)),
        ((40, 125, 130), (60, 132, 126)),
    ],
    ids=["bright", "dark", "of the same luma", "nearly alike"],
)
def test_a_coarse_edge_is_drawn_to_that_of_the_colours(
    inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    truth = disc(SIZE)
    small = coarse(truth)
    for view in (scene(truth, inside, outside), with_noise(scene(truth, inside, outside), 3)):
        refined = ColorEdge()(small, view)
        assert error(refined, truth) < 0.45 * error(sharpen_edge(small), truth)
        assert error(refined, truth) < 0.35 * error(small, truth)


def test_a_picture_without_colours_costs_little() -> None:
    truth = disc((1280, 720))
    flat = scene(truth, (100, 128, 128), (100, 128, 128))
    for shift in (0, 2):
        small = coarse(truth, shift, (256, 144))
        for view in (flat, with_noise(flat, 1)):
            assert error(ColorEdge()(small, view), truth) < 0.95 * error(small, truth)


@given(seed=seeds)
def test_colour_does_not_decide_whether_there_is_a_person(noise: Noise, seed: int) -> None:
    truth = disc((320, 180))
    small = coarse(truth, size=(64, 36))
    refined = ColorEdge(0.5)(small, noise(seed, 320, 180))
    firm = sharpen_edge(small)
    surroundings = np.ones((5, 5), np.uint8)
    lowest, highest = (
        cv2.resize(bound(firm, surroundings), refined.shape[::-1])
        for bound in (cv2.erode, cv2.dilate)
    )
    assert (refined >= lowest.astype(int) - 1).all()
    assert (refined <= highest.astype(int) + 1).all()


@pytest.mark.parametrize("value", [0, 255])
def test_nobody_or_nobody_else(noise: Noise, value: int) -> None:
    refined = ColorEdge(0.5)(np.full((72, 128), value, np.uint8), noise(1, 320, 180))
    assert (refined == value).all()
    assert (Matte(refined, (320, 180)).rect is None) == (value == 0)


@pytest.mark.parametrize("name", ["22fc0130", "514ca06a"])
def test_the_alpha_of_a_real_portrait_comes_nearer_the_truth(
    shared_data: Callable[[str], Path], name: str
) -> None:
    photo = cv2.imread(str(shared_data(f"matte/comp_{name}.png")))
    truth = cv2.imread(str(shared_data(f"matte/comp_{name}_alpha.png")), cv2.IMREAD_GRAYSCALE)
    size = (photo.shape[1] // 4 * 4, photo.shape[0] // 4 * 4)
    photo, truth = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (photo, truth))
    small = coarse(truth, shift=1, size=(size[0] // 4, size[1] // 4))
    refined = ColorEdge()(small, Nv21Frame.from_bgr(photo, DEFAULT_COLOR))
    assert error(refined, truth) < 0.7 * error(sharpen_edge(small), truth)


# --- sizes and memory -------------------------------------------------------------------------


@pytest.mark.parametrize("view", [(1280, 720), (1920, 1080), (640, 480), (322, 482), (64, 32)])
@pytest.mark.parametrize("alpha", [(256, 144), (256, 256), (257, 143), (97, 101), (1, 1)])
def test_any_sizes(alpha: tuple[int, int], view: tuple[int, int]) -> None:
    truth = disc(view)
    small = cv2.resize(truth, alpha, interpolation=cv2.INTER_AREA)
    refined = ColorEdge(0.5)(small, scene(truth, (200, 90, 150), (60, 140, 110)))
    cells = [max(side // 2, 1) for side in alpha]
    assert refined.shape == tuple(
        min(5 * count, side) for count, side in zip(cells[::-1], view[::-1], strict=True)
    )
    assert refined.dtype == np.uint8
    if min(alpha) > 1:
        assert error(refined, truth) < 0.03
    Matte(refined, view)


def test_without_memory_every_frame_is_the_first() -> None:
    truth = disc(SIZE)
    one, other = (with_noise(scene(truth, (200, 90, 150), (60, 140, 110)), s) for s in (1, 2))
    edge = ColorEdge()
    edge(coarse(truth), one)
    assert np.array_equal(edge(coarse(truth), other), ColorEdge()(coarse(truth), other))


def test_with_memory_the_colours_of_before_count_until_reset() -> None:
    truth = disc(SIZE)
    before = scene(truth, (200, 90, 150), (60, 140, 110))
    now = with_noise(scene(truth, (80, 128, 128), (76, 128, 128)), 1)
    edge = ColorEdge(0.9)
    edge(coarse(truth), before)
    remembering = edge(coarse(truth), now)
    alone = ColorEdge(0.9)(coarse(truth), now)
    assert not np.array_equal(remembering, alone)
    edge.reset()
    assert np.array_equal(edge(coarse(truth), now), alone)
    # An alpha of another size begins anew, too.
    edge(coarse(truth), before)
    wide = coarse(truth, size=(64, 36))
    assert np.array_equal(edge(wide, now), ColorEdge(0.9)(wide, now))


def test_memory_calms_what_noise_does() -> None:
    truth = disc(SIZE)
    clean = scene(truth, (110, 120, 135), (90, 133, 124))
    flicker = {}
    for memory in (0.0, 0.8):
        edge = ColorEdge(memory)
        random = np.random.default_rng(0)
        results = []
        for number in range(12):
            doubt = random.normal(0, 12, (72, 128))
            small = np.clip(coarse(truth, shift=0) + doubt, 0, 255).astype(np.uint8)
            results.append(edge(small, with_noise(clean, number, 4.0)).astype(int))
        steps = itertools.pairwise(results[5:])
        flicker[memory] = np.mean([np.abs(one - other).mean() for one, other in steps])
    assert flicker[0.8] < 0.95 * flicker[0.0]


def test_nothing_is_dragged_along() -> None:
    edge = ColorEdge(0.5)
    for place in np.linspace(0.3, 0.7, 12):
        truth = disc(SIZE, place)
        view = scene(truth, (200, 90, 150), (60, 140, 110))
        refined = edge(coarse(truth, shift=0), view)
        alone = ColorEdge()(coarse(truth, shift=0), view)
        assert error(refined, truth) < 1.15 * error(alone, truth)


def test_a_result_that_is_held_stays_and_the_inputs_do() -> None:
    truth = disc(SIZE)
    view, small = scene(truth, (200, 90, 150), (60, 140, 110)), coarse(truth)
    for plane in (view.y, view.vu, small):
        plane.flags.writeable = False
    edge = ColorEdge(0.5)
    first = edge(small, view)
    kept = first.copy()
    second = edge(np.roll(small, 9, axis=1), view)
    assert not np.shares_memory(first, second)
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("memory", [-0.1, 1.0, 2.0])
def test_a_memory_that_never_forgets_is_refused(memory: float) -> None:
    with pytest.raises(FrameError, match=r"in \[0, 1\)"):
        ColorEdge(memory)


@pytest.mark.parametrize(
    "alpha",
    [np.zeros((4, 4), np.float32), np.zeros((1, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)],
    ids=["float", "3d", "empty"],
)
def test_an_alpha_that_is_none_is_refused(noise: Noise, alpha: np.ndarray) -> None:
    with pytest.raises(FrameError, match=r"alpha is \(h, w\) uint8"):
        ColorEdge()(alpha, noise(1, 8, 8))
