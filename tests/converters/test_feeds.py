"""What models are fed with: noise, and pictures through the declared preprocessing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from npukit.color import Color
from npukit.frame import Nv21Frame
from npukit.preprocess import Preprocess, to_tensor
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import ComparisonError
from npukit_convert.feeds import (
    Feeder,
    assumed_preprocess,
    read_arrays,
    read_pictures,
)

CLIP = Path(__file__).resolve().parents[2] / "skills/portrait_matting/assets/demo.mp4"
SPEC = InputSpec((1, 3, 6, 8), Preprocess(scale=(0.5, 0.5, 0.5), mean=(1, 2, 3)))


def frame(width: int = 8, height: int = 6) -> Nv21Frame:
    packed = np.random.default_rng(0).integers(0, 256, (height * 3 // 2, width), np.uint8)
    return Nv21Frame.from_packed(packed, Color())


def test_a_frame_goes_through_its_preprocessing() -> None:
    feeds = Feeder({"image": SPEC, "state": InputSpec((1, 2))}).frame(frame())
    assert SPEC.preprocess is not None
    np.testing.assert_array_equal(feeds["image"], to_tensor(SPEC.preprocess, frame().pack()))
    np.testing.assert_array_equal(feeds["state"], np.zeros((1, 2)))


@pytest.mark.parametrize("shape", [(1, 3, 7, 9), (1, 1, 7, 9), (1, 3, 6, 8), (1, 1, 6, 8)])
def test_what_is_assumed_of_a_picture(shape: tuple[int, ...]) -> None:
    preprocess = assumed_preprocess(shape)
    red = np.full((20, 30, 3), (0, 0, 255), np.uint8)
    feeds = Feeder({"x": InputSpec(shape, preprocess)}).frame(Nv21Frame.from_bgr(red, Color()))
    assert feeds["x"].shape == shape
    wanted = (1.0, 0.0, 0.0) if shape[1] == 3 else (0.299,)
    for channel, value in zip(feeds["x"][0], wanted, strict=True):
        np.testing.assert_allclose(channel, value, atol=0.02)
    assert assumed_preprocess((1, 4, 6, 8)) is None


def test_noise_repeats_and_has_its_amplitude() -> None:
    feeder = Feeder({"image": SPEC, "state": InputSpec((100, 100))})
    one, again, other = feeder.noise(0.1, 3), feeder.noise(0.1, 3), feeder.noise(0.1, 4)
    for name in one:
        np.testing.assert_array_equal(one[name], again[name])
        assert not np.array_equal(one[name], other[name])
    assert one["state"].std() == pytest.approx(0.1, rel=0.05)
    assert np.ptp(feeder.noise(0.01, 3)["image"]) < np.ptp(feeder.noise(1.0, 3)["image"]) / 5


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, [0]), (2, [0, 119]), (3, [0, 60, 119]), (500, list(range(120)))]
)
def test_frames_are_spread_over_the_clip(count: int, wanted: list[int]) -> None:
    found = read_pictures(str(CLIP), count)
    assert [item.name for item in found] == [f"frame {index}" for index in wanted]
    assert len({item.frame.pack().tobytes() for item in found}) == len(wanted), "kept, not reused"


def test_arrays_by_name(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, a=np.arange(3, dtype=np.uint8), b=np.ones(2))
    found = read_arrays(str(file), {"a": None, "b": None})
    assert found["a"].dtype == np.float32
    with pytest.raises(ComparisonError, match="no array for the input 'c'"):
        read_arrays(str(file), {"a": None, "b": None, "c": None})
    np.save(tmp_path / "t.npy", np.array(["text"]))
    with pytest.raises(ComparisonError, match="no numbers"):
        read_arrays(str(tmp_path / "t.npy"), {"a": None})


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((4, 4, 3), number, np.uint8))
    names = [item.name for item in read_pictures(str(tmp_path), 3)]
    assert names == ["frame 0", "frame 2", "frame 4"]
