"""The calibration set: which frames, through the preprocessing, and the same every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from support.quantized import PICTURE, SIZE, alpha_network, scenes, state_network, write_clip

from npukit.capture import open_source
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet, read_calibration
from npukit_convert.quantization.settings import CalibrationConfig

INPUTS = {"image": PICTURE}


def read(folder: Path, name: str | None, samples: int = 64) -> CalibrationSet:
    config = CalibrationConfig(frames=name, samples=samples, random=name is None)
    return read_calibration(config, folder, INPUTS, {}, alpha_network(), "convert.yaml")


def test_distinct_frames_of_a_clip(tmp_path: Path) -> None:
    """Six scenes, each held for four frames."""
    write_clip(tmp_path / "a.mp4", [rgb for rgb in scenes(6) for _ in range(4)])
    found = read(tmp_path, "a.mp4")
    assert (found.summary.read, found.summary.kept, found.summary.random) == (24, 6, False)
    assert [place // 4 for place in found.indices] == list(range(6))
    assert len(found.feeds) == len(found.frames) == len(found.table) == 6
    frames = {
        item.index: item.frame.pack() for item in open_source(str(tmp_path / "a.mp4")).frames()
    }
    for place, frame in zip(found.indices, found.frames, strict=True):
        np.testing.assert_array_equal(frame.pack(), frames[place])


def test_feeds_are_what_the_board_makes_of_the_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", scenes(5))
    found = read(tmp_path, "a.mp4", samples=3)
    assert found.indices == (0, 2, 4)
    for feed, frame in zip(found.feeds, found.frames, strict=True):
        np.testing.assert_array_equal(feed["image"], Feeder(INPUTS).frame(frame)["image"])
    part = found.feeds[1:]
    assert len(part) == 2
    np.testing.assert_array_equal(part[0]["image"], found.feeds[1]["image"])


def test_it_repeats_and_says_what_it_is(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", scenes(5))
    one, again = read(tmp_path, "a.mp4"), read(tmp_path, "a.mp4")
    assert one.summary == again.summary
    tensors = b"".join(b"image" + feed["image"].tobytes() for feed in one.feeds)
    assert one.summary.sha256 == hashlib.sha256(tensors).hexdigest()
    assert one.summary.source == "a.mp4"
    assert read(tmp_path, "a.mp4", samples=3).summary.sha256 != one.summary.sha256


def test_noise_is_marked(tmp_path: Path) -> None:
    found = read(tmp_path, None, samples=5)
    assert found.summary.random
    assert (found.summary.source, found.path, len(found.feeds)) == ("noise", None, 5)
    assert not np.array_equal(found.feeds[0]["image"], found.feeds[1]["image"])
    assert found.summary == read(tmp_path, None, samples=5).summary


def test_states_are_fed(tmp_path: Path) -> None:
    levels = range(0, 240, 20)
    write_clip(tmp_path / "a.mp4", [np.full((SIZE, SIZE, 3), one, np.uint8) for one in levels])
    inputs = {**INPUTS, "before": InputSpec((1, 1, SIZE, SIZE))}
    config = CalibrationConfig(frames="a.mp4")
    found = read_calibration(config, tmp_path, inputs, {"before": "sum"}, state_network(), "it")
    assert [set(feed) for feed in found.feeds] == [{"image", "before"}] * len(levels)
    assert not found.feeds[0]["before"].any()
    second = found.feeds[2]["before"]  # 0 and 20 were shown
    np.testing.assert_allclose(second, 20 / 255, atol=0.01)


def test_a_network_is_not_calibrated_on_nothing(tmp_path: Path) -> None:
    inputs = {"image": PICTURE, "other": PICTURE}
    np.savez(tmp_path / "a.npz", **{name: np.zeros((0, 3, SIZE, SIZE)) for name in inputs})
    config = CalibrationConfig(frames="a.npz")
    with pytest.raises(CalibrationError, match="no numbers"):
        read_calibration(config, tmp_path, inputs, {}, b"", "convert.yaml")
