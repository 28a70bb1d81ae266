"""Frames of any kind of file, as what the network takes; what it cannot take is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.quantized import BYTE, PICTURE, SIZE, scenes, write_clip

from npukit.errors import CaptureError
from npukit.preprocess import Preprocess
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.feeds import Feeder, read_pictures
from npukit_convert.quantization.calibration.samples import Samples, limits

INPUTS = {"image": PICTURE}


def samples(path: Path, inputs: Any = None, states: Any = None) -> Samples:
    return Samples(path, inputs or INPUTS, states or {}, "convert.yaml, calibration.frames")


def tensors(path: Path, inputs: Any = None, states: Any = None) -> list[Any]:
    found = samples(path, inputs, states)
    return [found.feeds(sample) for sample in found]


def test_a_folder_goes_through_the_preprocessing_of_the_board(tmp_path: Path) -> None:
    for place, rgb in enumerate(scenes(3)):
        cv2.imwrite(str(tmp_path / f"{place}.png"), rgb[:, :, ::-1])
    wanted = [Feeder(INPUTS).frame(one.frame) for one in read_pictures(str(tmp_path), 3)]
    found = tensors(tmp_path)
    assert [sample.place for sample in samples(tmp_path)] == [0, 1, 2]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    reds = [one["image"][0, 0].mean() for one in found]
    np.testing.assert_allclose(reds, [rgb[..., 0].mean() / 255 for rgb in scenes(3)], atol=0.02)


def test_a_video_is_read_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    found = samples(write_clip(tmp_path / "a.mp4", scenes(5)))
    assert found.moving
    first, again = ([found.feeds(one)["image"].sum() for one in found] for _ in range(2))
    assert first == again
    assert len(first) == 5


def test_arrays_of_pictures_are_pictures(tmp_path: Path) -> None:
    """RGB bytes in a .npy are the same as the same pictures in a folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for place, rgb in enumerate(scenes(2)):
        cv2.imwrite(str(folder / f"{place}.png"), rgb[:, :, ::-1])
    np.save(tmp_path / "a.npy", np.stack(scenes(2)))
    np.save(tmp_path / "one.npy", scenes(2)[0])
    for one, other in zip(tensors(tmp_path / "a.npy"), tensors(folder), strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    (only,) = tensors(tmp_path / "one.npy")
    np.testing.assert_array_equal(only["image"], tensors(folder)[0]["image"])


@pytest.mark.parametrize("shape", [(4, 3, SIZE, SIZE), (4, 1, 3, SIZE, SIZE)])
def test_tensors_are_taken_as_they_are(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.random.default_rng(0).uniform(0, 1, shape)  # float64
    np.save(tmp_path / "a.npy", array)
    found = tensors(tmp_path / "a.npy")
    assert len(found) == 4
    for one, wanted in zip(found, array.reshape(4, 1, 3, SIZE, SIZE), strict=True):
        np.testing.assert_array_equal(one["image"], wanted.astype(np.float32))
        assert one["image"].dtype == np.float32


@pytest.mark.parametrize("shape", [(3, SIZE, SIZE), (1, 3, SIZE, SIZE)])
def test_a_file_of_one_frame(shape: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
    (found,) = tensors(tmp_path / "a.npy")
    assert found["image"].shape == PICTURE.shape


def test_a_folder_of_arrays_holds_a_frame_each(tmp_path: Path) -> None:
    for place in range(3):
        np.save(tmp_path / f"{place}.npy", np.full((1, 3, SIZE, SIZE), place / 4, np.float32))
    (tmp_path / ".DS_Store").write_bytes(b"left by a file manager")
    assert [one["image"].mean() for one in tensors(tmp_path)] == [0.0, 0.25, 0.5]
    assert [sample.place for sample in samples(tmp_path)] == [0, 1, 2]


def test_an_npz_has_an_array_for_each_input(tmp_path: Path) -> None:
    inputs = {"image": PICTURE, "sigma": InputSpec((1, 1))}
    image = np.random.default_rng(0).uniform(0, 1, (3, 3, SIZE, SIZE))
    np.savez(tmp_path / "a.npz", image=image, sigma=np.array([[1], [2], [3]]))
    assert [float(one["sigma"][0, 0]) for one in tensors(tmp_path / "a.npz", inputs)] == [1, 2, 3]


def refusals() -> dict[str, tuple[Any, str]]:
    good = np.full((3, 3, SIZE, SIZE), 0.5, np.float32)
    holed, infinite = good.copy(), good.astype(np.float64)
    holed[1, 2, 0, :5] = np.nan
    infinite[0, 0, 0, 0] = 1e300
    return {
        "NaN": (holed, "frame 1: 5 of 768 numbers are NaN or infinite"),
        "too large for float32": (infinite, "1 of 768 numbers are NaN or infinite"),
        "other size": (
            np.zeros((2, 3, 8, 8), np.float32),
            r"frames of \[2, 3, 8, 8\], the network",
        ),
        "channels last": (np.zeros((2, SIZE, SIZE, 3), np.float32), "moveaxis"),
        "bytes as floats": (good * 255, "channel 0 is 127.5 to 127.5, where the declared mean"),
        "no numbers": (np.array(["a", "b"]), "no numbers"),
        "none": (np.zeros((0, 3, SIZE, SIZE), np.float32), "no numbers"),
    }


@pytest.mark.parametrize("what", refusals())
def test_arrays_that_the_board_would_never_give_are_refused(what: str, tmp_path: Path) -> None:
    array, message = refusals()[what]
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(CalibrationError, match=message):
        tensors(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"imag": np.zeros((2, 3, SIZE, SIZE))}, "no input 'imag'.*did you mean 'image'"),
        ({"sigma": np.zeros((2, 1, 1))}, "no array for the input 'image'"),
        (
            {"image": np.zeros((2, 3, SIZE, SIZE)), "sigma": np.zeros((3, 1, 1))},
            "unequal numbers of frames",
        ),
        (
            {"image": np.zeros((2, SIZE, SIZE, 3), np.uint8), "sigma": np.zeros((2, 1, 1))},
            "pictures, and arrays for sigma beside them",
        ),
    ],
)
def test_an_npz_that_does_not_fit(arrays: Any, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(CalibrationError, match=message):
        tensors(tmp_path / "a.npz", {"image": PICTURE, "sigma": InputSpec((1, 1))})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY and then nothing")
    with pytest.raises(CalibrationError, match="cannot be read"):
        tensors(tmp_path / "a.npy")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(CaptureError):
        tensors(tmp_path / "a.mp4")
    np.save(tmp_path / "b.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(CalibrationError, match="cannot be read"):
        tensors(tmp_path / "b.npy")


def test_a_video_feeds_pictures_and_states_alone(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes(2))
    inputs = {"image": PICTURE, "before": InputSpec((1, 1, SIZE, SIZE))}
    assert set(tensors(clip, inputs, {"before": "sum"})[0]) == {"image"}
    with pytest.raises(CalibrationError, match="'before' has no `preprocess:`"):
        samples(clip, inputs)


def test_the_limits_are_those_of_mean_and_scale() -> None:
    spec = InputSpec((1, 3, 4, 4), Preprocess(mean=(0, 127.5, 255), scale=(BYTE, BYTE, -BYTE)))
    low, high = limits(spec)
    np.testing.assert_allclose(low, [0, -0.5, 0], atol=1e-6)
    np.testing.assert_allclose(high, [1, 0.5, 1], atol=1e-6)


def test_a_large_file_is_not_read_into_memory(tmp_path: Path) -> None:
    """A .npy of tensors stays on the disk; what is kept is copied out of it."""
    np.save(tmp_path / "a.npy", np.zeros((4, 3, SIZE, SIZE), np.float32))
    sample = next(iter(samples(tmp_path / "a.npy")))
    base: Any = sample.tensors["image"]
    while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert sample.owned().tensors["image"].base is None
