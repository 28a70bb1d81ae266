"""The measures against hand-computed cases and a slow reference that shares nothing with them."""

import itertools
import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.errors import FrameError
from npukit.quality import (
    QualityMeter,
    connectivity_error,
    dtssd,
    gradient_error,
    mad,
    mse,
)

SINGLE = [mad, mse, gradient_error, connectivity_error]
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 14), st.integers(1, 14))


def plane(*rows: str) -> np.ndarray:
    """Alpha in tenths: one digit a pixel, `#` for 1."""
    return np.array([[1.0 if c == "#" else int(c) / 10 for c in row] for row in rows], np.float32)


def some(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Random alpha, smooth enough to have regions, with clear and opaque parts."""
    random = np.random.default_rng(seed)
    rough = random.random(size) + random.random((size[0], 1)) + random.random((1, size[1])) - 1.0
    return np.clip(np.rint(rough * 255), 0, 255).astype(np.uint8)


# --- the slow reference ---------------------------------------------------------------------------


def slow_gradient(alpha: np.ndarray) -> np.ndarray:
    """|grad| pixel by pixel: a sum over 9x9 neighbours, the nearest pixel beyond the border."""
    sigma = 1.4

    def bell(x: float) -> float:
        return math.exp(-x * x / (2 * sigma * sigma)) / (sigma * math.sqrt(2 * math.pi))

    offsets = [(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)]
    across = {(dy, dx): -dx / sigma**2 * bell(dx) * bell(dy) for dy, dx in offsets}
    norm = math.sqrt(sum(weight**2 for weight in across.values()))
    height, width = alpha.shape
    steep = np.zeros(alpha.shape)
    for y in range(height):
        for x in range(width):
            gx = gy = 0.0
            for dy, dx in offsets:
                value = alpha[min(max(y - dy, 0), height - 1), min(max(x - dx, 0), width - 1)]
                gx += across[dy, dx] / norm * value
                gy += across[dx, dy] / norm * value
            steep[y, x] = math.hypot(gx, gy)
    return steep


def slow_region(inside: np.ndarray) -> set[tuple[int, int]]:
    """The largest 4-connected region, the first of equals by its first pixel."""
    best: set[tuple[int, int]] = set()
    seen: set[tuple[int, int]] = set()
    for start in map(tuple, np.argwhere(inside)):
        if start in seen:
            continue
        region, queue = {start}, deque([start])
        while queue:
            y, x = queue.popleft()
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                within = 0 <= near[0] < inside.shape[0] and 0 <= near[1] < inside.shape[1]
                if within and inside[near] and near not in region:
                    region.add(near)
                    queue.append(near)
        seen |= region
        if len(region) > len(best):
            best = region
    return best


def slow_connectivity(alpha: np.ndarray, exact: np.ndarray) -> float:
    regions = [
        slow_region((alpha >= np.float32(tenth / 10)) & (exact >= np.float32(tenth / 10)))
        for tenth in range(1, 11)
    ]
    total = 0.0
    for at in np.ndindex(*alpha.shape):
        tenths = 0
        while tenths < 10 and at in regions[tenths]:
            tenths += 1
        phis = []
        for value in (alpha[at], exact[at]):
            distance = value - np.float32(tenths / 10)
            phis.append(1.0 - (float(distance) if distance >= np.float32(0.15) else 0.0))
        total += abs(phis[0] - phis[1])
    return total


@given(one=seeds, other=seeds, size=sizes)
def test_all_measures_are_those_of_the_slow_reference(
    one: int, other: int, size: tuple[int, int]
) -> None:
    alpha, exact = some(one, size), some(other, size)
    a, e = (part.astype(np.float32) / np.float32(255) for part in (alpha, exact))
    pixels = list(np.ndindex(*size))
    assert mad(alpha, exact) == pytest.approx(
        sum(abs(float(a[at]) - float(e[at])) for at in pixels) / len(pixels), rel=1e-5
    )
    assert mse(alpha, exact) == pytest.approx(
        sum((float(a[at]) - float(e[at])) ** 2 for at in pixels) / len(pixels), rel=1e-5
    )
    steep = (slow_gradient(a) - slow_gradient(e)) ** 2
    assert gradient_error(alpha, exact) == pytest.approx(steep.sum(), rel=1e-4, abs=1e-9)
    assert connectivity_error(alpha, exact) == pytest.approx(
        slow_connectivity(a, e), rel=1e-5, abs=1e-6
    )


# --- by hand --------------------------------------------------------------------------------------


def test_mad_and_mse_by_hand() -> None:
    alpha, exact = plane("0#", "52"), plane("##", "50")
    assert mad(alpha, exact) == pytest.approx((1.0 + 0.0 + 0.0 + 0.2) / 4)
    assert mse(alpha, exact) == pytest.approx((1.0 + 0.0 + 0.0 + 0.04) / 4)


def test_the_gradient_of_a_step_by_hand() -> None:
    # A straight edge: only the derivative across it counts, its positive half on one side. Each
    # kernel has unit norm, which is the product of those of its two factors.
    x = np.arange(-4, 5)
    bell = np.exp(-(x**2) / (2 * 1.4**2))
    slope = x * bell
    sums = bell.sum() / np.linalg.norm(bell) * slope / np.linalg.norm(slope)
    profile = [sum(sums[4 + step :]) for step in range(1, 5)]
    assert profile[0] == pytest.approx(2.66, abs=0.005)
    exact = np.zeros((20, 20), np.uint8)
    exact[:, 10:] = 255
    empty = np.zeros_like(exact)
    expected = 20 * 2 * sum(value**2 for value in profile)
    assert gradient_error(empty, exact) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_sees_no_offset_and_no_turn() -> None:
    alpha = some(1, (20, 30)) // 2
    assert gradient_error(alpha, alpha + 100) == pytest.approx(0.0, abs=1e-6)
    exact = some(2, (20, 30))
    turned = gradient_error(np.rot90(alpha), np.rot90(exact))
    assert turned == pytest.approx(gradient_error(alpha, exact), rel=1e-5)


BLOB = plane(
    "00000000000",
    "0####000000",
    "0####000000",
    "0####000000",
    "00000000000",
)


def test_an_island_counts_with_its_alpha() -> None:
    alpha = BLOB.copy()
    alpha[2, 7:10] = 0.5
    assert connectivity_error(alpha, BLOB) == pytest.approx(3 * 0.5)
    alpha[2, 7:10] = 0.1  # below theta: not seen
    assert connectivity_error(alpha, BLOB) == 0.0


def test_a_cut_strand_counts_where_it_is_cut() -> None:
    exact = BLOB.copy()
    exact[2, 5:9] = 1.0
    alpha = exact.copy()
    alpha[2, 6] = 0.0
    # There the exact alpha hangs together up to 0 only, by the part that both share: 1 - d = 0.
    # Beyond the cut neither belongs to the region, and both are as far from it.
    assert connectivity_error(alpha, exact) == pytest.approx(1.0)


def test_a_small_difference_of_connected_pixels_passes() -> None:
    assert connectivity_error(BLOB * np.float32(0.9), BLOB) == 0.0
    # A larger one does not: both are connected up to 0.8, the exact one is 0.2 above that.
    assert connectivity_error(BLOB * np.float32(0.81), BLOB) == pytest.approx(12 * 0.2, rel=1e-5)


def test_connection_is_by_sides_not_corners() -> None:
    exact = plane("##00", "##00", "00#0", "0000")
    alpha = exact.copy()
    alpha[2, 2] = 0.0
    assert connectivity_error(alpha, exact) == pytest.approx(1.0), "the corner was no part of it"


def test_dtssd_by_hand() -> None:
    before, now = plane("00", "00"), plane("#0", "00")
    still = plane("00", "00")
    assert dtssd(before, now, still, still) == pytest.approx(math.sqrt(1 / 4))
    assert dtssd(before, now, before, now) == 0.0
    opposite = dtssd(before, now, now, before)
    assert opposite == pytest.approx(math.sqrt(2**2 / 4))


def test_a_constant_error_does_not_flicker() -> None:
    exact = [some(seed, (6, 8)) // 2 for seed in range(2)]
    assert dtssd(exact[0] + 50, exact[1] + 50, exact[0], exact[1]) == pytest.approx(0, abs=1e-6)


# --- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", SINGLE)
@given(seed=seeds, size=sizes)
def test_the_exact_alpha_has_no_error(measure, seed: int, size: tuple[int, int]) -> None:
    # OpenCV's filter rounds by how its input lies in memory: not always exactly zero.
    assert measure(some(seed, size), some(seed, size)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("measure", SINGLE)
@given(one=seeds, other=seeds, size=sizes)
def test_an_error_is_symmetric_and_not_negative(
    measure, one: int, other: int, size: tuple[int, int]
) -> None:
    alpha, exact = some(one, size), some(other, size)
    assert measure(alpha, exact) == pytest.approx(measure(exact, alpha), rel=1e-6)
    assert measure(alpha, exact) >= 0.0


@pytest.mark.parametrize("measure", SINGLE)
def test_more_noise_is_more_error(measure) -> None:
    random = np.random.default_rng(7)
    exact = np.zeros((60, 80), np.float32)
    exact[10:50, 20:60] = 1.0
    noise = np.abs(random.standard_normal(exact.shape)).astype(np.float32)
    found = [
        measure(np.clip(np.abs(exact - level * noise), 0, 1), exact)
        for level in (0.0, 0.1, 0.2, 0.4)
    ]
    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_bytes_and_floats_are_the_same_alpha() -> None:
    alpha, exact = some(3, (12, 9)), some(4, (12, 9))
    for measure in SINGLE:
        as_floats = measure(alpha.astype(np.float64) / 255, exact.astype(np.float32) / 255)
        assert measure(alpha, exact) == pytest.approx(as_floats, rel=1e-5)


# --- clips ----------------------------------------------------------------------------------------


def test_a_meter_gives_the_means_over_a_clip() -> None:
    clip = [(some(seed, (9, 12)), some(seed + 100, (9, 12))) for seed in range(4)]
    meter = QualityMeter()
    for count, (alpha, exact) in enumerate(clip):
        assert meter.frames == count
        meter.add(alpha, exact)
    errors = meter.errors()
    for measure, value in zip(SINGLE, errors, strict=False):
        assert value == pytest.approx(np.mean([measure(*pair) for pair in clip]), rel=1e-6)
    flicker = [dtssd(one[0], other[0], one[1], other[1]) for one, other in itertools.pairwise(clip)]
    assert errors.dtssd == pytest.approx(np.mean(flicker), rel=1e-6)
    assert errors._fields == ("mad", "mse", "gradient", "connectivity", "dtssd")


def test_one_frame_does_not_flicker_and_none_has_no_error() -> None:
    meter = QualityMeter()
    with pytest.raises(FrameError, match="no frame was measured"):
        meter.errors()
    meter.add(some(0, (4, 4)), some(1, (4, 4)))
    assert meter.errors().dtssd == 0.0


def test_sizes_that_differ_are_refused() -> None:
    for measure in SINGLE:
        with pytest.raises(FrameError, match=r"alpha is \(4, 5\), the exact one \(5, 4\)"):
            measure(some(0, (4, 5)), some(0, (5, 4)))
    meter = QualityMeter()
    meter.add(some(0, (4, 5)), some(1, (4, 5)))
    with pytest.raises(FrameError, match=r"alpha is \(6, 5\)"):
        meter.add(some(0, (6, 5)), some(1, (6, 5)))


@pytest.mark.parametrize(
    "alpha",
    [np.zeros((0, 4), np.uint8), np.zeros((1, 4, 4), np.uint8), np.zeros((4, 4), np.int32)],
    ids=["empty", "3d", "int32"],
)
def test_what_is_no_alpha_is_refused(alpha: np.ndarray) -> None:
    for measure in SINGLE:
        with pytest.raises(FrameError, match=r"alpha is \(H, W\) uint8 or float"):
            measure(alpha, alpha)
