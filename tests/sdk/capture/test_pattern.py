"""The synthetic camera: its counter, its motion and its options."""

import numpy as np
import pytest

from npukit.capture import open_source
from npukit.capture.pattern import read_counter
from npukit.color import Matrix, Range
from npukit.errors import CaptureError


def test_the_form_without_options_is_hd() -> None:
    source = open_source("pattern")
    assert (source.fps, source.frame_count, source.live) == (30.0, 300, False)
    first = next(source.frames()).frame
    assert first.size == (1280, 720)
    assert (first.color.matrix, first.color.range) == (Matrix.BT709, Range.LIMITED)


@pytest.mark.parametrize("size", [(64, 32), (320, 240), (322, 242), (1280, 720)])
def test_every_frame_carries_its_number(size: tuple[int, int]) -> None:
    width, height = size
    source = open_source(f"pattern:{width}x{height},fps=25,frames=70")
    frames = list(source.frames())
    assert len(frames) == source.frame_count == 70
    assert [captured.index for captured in frames] == list(range(70))
    assert [captured.time_s for captured in frames] == pytest.approx(np.arange(70) / 25)
    assert {captured.frame.size for captured in frames} == {size}
    assert [read_counter(captured.frame) for captured in frames] == list(range(70))


def test_the_counter_runs_over_at_16_bits() -> None:
    source = open_source("pattern:64x32,frames=65539")
    wanted = {255, 256, 4095, 65535, 65536, 65538}
    read = {
        captured.index: read_counter(captured.frame)
        for captured in source.frames()
        if captured.index in wanted
    }
    assert read == {index: index % 65536 for index in wanted}


def test_the_counter_survives_a_coarse_picture() -> None:
    source = open_source("pattern:320x240,frames=40")
    noise = np.random.default_rng(0)
    for captured in source.frames():
        frame = captured.frame
        coarse = np.clip(frame.y + noise.normal(0, 20, frame.y.shape), 0, 255)
        frame.y[:] = coarse
        assert read_counter(frame) == captured.index


def test_the_scene_moves_and_frames_own_their_memory() -> None:
    first, second = (
        captured.frame for captured in open_source("pattern:320x240,frames=2").frames()
    )
    # Four pixels to the left, below the counter and above the written number.
    np.testing.assert_array_equal(second.y[20:150, :300], first.y[20:150, 4:304])
    np.testing.assert_array_equal(second.vu[10:75, :150], first.vu[10:75, 2:152])
    assert first.y.std() > 20
    before = second.y.copy()
    first.y[:] = 0
    np.testing.assert_array_equal(second.y, before)


@pytest.mark.parametrize(
    "options",
    ["nonsense", "320", "320x", "320x240,speed=3", "320x240,fps=", "320x240 ,fps=3", "-2x2"],
)
def test_options_that_are_not_understood_are_refused(options: str) -> None:
    with pytest.raises(CaptureError, match="not understood") as caught:
        open_source(f"pattern:{options}")
    assert f"pattern:{options}" in str(caught.value)
    assert "fps=25" in caught.value.hint


@pytest.mark.parametrize("size", ["321x240", "320x241", "62x32", "64x30", "0x0", "99999998x99998"])
def test_sizes_that_cannot_be_drawn_are_refused(size: str) -> None:
    with pytest.raises(CaptureError, match=f"size {size}"):
        open_source(f"pattern:{size}")


def test_no_frames_a_second_are_refused() -> None:
    with pytest.raises(CaptureError, match="fps"):
        open_source("pattern:320x240,fps=0")
