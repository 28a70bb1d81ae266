"""Near-duplicates are dropped, the rest is spread over time, and always the same way."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.quantized import PICTURE, scenes

from npukit.color import Color
from npukit.frame import Nv21Frame
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.calibration.distinct import (
    ALIKE,
    apart,
    choose,
    in_levels,
    spread,
    thumbnail,
)
from npukit_convert.quantization.calibration.samples import Sample

INPUTS = {"image": PICTURE}


def of_frame(rgb: object) -> Sample:
    return Sample(0, Nv21Frame.from_rgb(rgb, Color()), {})  # type: ignore[arg-type]


def of_tensor(rgb: object) -> Sample:
    return Sample(0, None, Feeder(INPUTS).frame(of_frame(rgb).frame))  # type: ignore[arg-type]


@given(st.integers(1, 500), st.integers(1, 100))
def test_spread_is_even_and_reaches_both_ends(count: int, wanted: int) -> None:
    places = spread(count, wanted)
    assert len(places) == min(count, wanted)
    assert places == sorted(set(places))
    if wanted > 1:
        assert (places[0], places[-1]) == (0, count - 1)
        steps = np.diff(places)
        assert not len(steps) or steps.max() - steps.min() <= 1


@given(
    st.lists(st.sampled_from([0.0, 0.4, 5.0, 9.0, 90.0]), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_what_is_chosen_is_distinct_and_repeats(levels: list[float], wanted: int) -> None:
    table = np.repeat(np.float32(levels)[:, None], 8, axis=1)
    rows = choose(table, wanted)
    assert rows == choose(table, wanted) == sorted(set(rows))
    assert 1 <= len(rows) <= wanted
    for place, row in enumerate(rows[1:], 1):
        assert apart(table[rows[:place]], table[row]).min() >= ALIKE
    groups = {round(level / 5) for level in levels}
    assert len(rows) == min(wanted, len(groups))


def test_a_clip_that_comes_back_to_a_scene_gives_it_once() -> None:
    one, other = scenes(2)
    table = np.stack([thumbnail(of_frame(rgb), INPUTS) for rgb in [one, other] * 10])
    assert choose(table, 64) == [0, 1]


def test_noise_of_a_camera_is_no_other_frame() -> None:
    """Deviation 3 of 255, which is much; moving a quarter of the picture by a cell is seen."""
    (rgb,) = scenes(1, size=256)
    random = np.random.default_rng(0)
    noisy = [np.clip(rgb + random.normal(0, 3, rgb.shape), 0, 255).astype(np.uint8) for _ in "ab"]
    moved = rgb.copy()
    moved[64:128, 64:128] = rgb[128:192, 128:192]
    large = {"image": PICTURE._replace(shape=(1, 3, 128, 128))}
    frames = [of_frame(one) for one in (*noisy, moved)]
    tensors = [Sample(0, None, Feeder(large).frame(one.frame)) for one in frames]  # type: ignore[arg-type]
    for samples in (frames, tensors):
        table = np.stack([thumbnail(one, large) for one in samples])
        distances = apart(table, table[0])
        assert distances[1] < ALIKE
        assert distances[2] > 3 * ALIKE


def test_thumbnails_of_frames_and_of_their_tensors_are_in_the_same_levels() -> None:
    dark, light = np.full((32, 32, 3), 50, np.uint8), np.full((32, 32, 3), 150, np.uint8)
    for sample in (of_frame, of_tensor):
        table = np.stack([thumbnail(sample(one), INPUTS) for one in (dark, light)])
        assert 60 < apart(table[:1], table[1])[0] < 101


def test_numbers_without_a_range_are_stretched() -> None:
    samples = [Sample(0, None, {"x": np.full((1, 5000), value, np.float32)}) for value in (1, 2, 3)]
    table = in_levels([thumbnail(one, {"x": PICTURE._replace(preprocess=None)}) for one in samples],
                      samples[0], {"x": PICTURE._replace(preprocess=None)})  # fmt: skip
    assert table.shape[1] <= 1024
    np.testing.assert_allclose(apart(table, table[0]), [0, 127.5, 255], rtol=1e-5)
