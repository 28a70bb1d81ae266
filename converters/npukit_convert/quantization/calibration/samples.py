"""Frames of a user's own data, of any kind of file, as inputs of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npukit.arrays import F32, Array
from npukit.capture import images, open_source
from npukit.color import Color
from npukit.errors import did_you_mean
from npukit.frame import Nv21Frame
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.feeds import Feeder, is_arrays

_PICTURE = "pictures are uint8 (N, H, W, 3) in RGB; they go through the board's preprocessing"
_ROUNDING = 0.01  # of the span of 0..255: what arithmetic of another order may differ by


class Sample(NamedTuple):
    """A frame of the data.

    Attributes:
        place: 0, 1, 2, ...
        frame: of a picture or video; may be a view of the decoder's memory. None for tensors.
        tensors: by input name; empty for a frame.
    """

    place: int
    frame: Nv21Frame | None
    tensors: Mapping[str, F32]

    def owned(self) -> Sample:
        """The same in memory of its own."""
        if self.frame is None:
            copies = {name: value.copy() for name, value in self.tensors.items()}
            return self._replace(tensors=copies)
        return self._replace(frame=Nv21Frame.from_packed(self.frame.pack(), self.frame.color))


class Samples:
    """All frames of a file or folder, in order, as often as they are asked for.

    A video, a picture or a folder of pictures is read as the board's camera is, and goes through
    the declared preprocessing. In a .npy or .npz (an array per input, by name; or a folder of
    them, a frame each), uint8 of (N, H, W, 3) are RGB pictures, which go the same way; floats are
    what the network takes, (N, C, H, W), and must lie within what the preprocessing can give.
    States may be left out.

    Attributes:
        path: that is read.
        moving: it is a video: each frame follows the one before in time.
    """

    def __init__(
        self,
        path: Path,
        inputs: Mapping[str, InputSpec],
        states: Mapping[str, str],
        where: str,
    ) -> None:
        """`where` names the key that names the path, for messages.

        Raises:
            CalibrationError: such data cannot give all inputs.
        """
        self.path, self.where = path, where
        self._inputs = inputs
        self._pictures = {
            name: spec for name, spec in inputs.items() if spec.preprocess is not None
        }
        self._needed = [name for name in inputs if name not in states]
        self._feeder = Feeder(self._pictures)
        self._files = _array_files(path)
        self.moving = path.is_file() and not is_arrays(path.name) and not _is_picture(path)
        if self._files:
            return
        for name in self._needed:
            if name not in self._pictures:
                raise CalibrationError(
                    f"input {name!r} has no `preprocess:`, so no picture can be fed to it",
                    where=where,
                    hint="declare it in a convert.yaml (--save-config writes one to edit), or give "
                    "the numbers as a .npz",
                )

    def __iter__(self) -> Iterator[Sample]:
        """The frames.

        Raises:
            CaptureError: a picture or video cannot be read.
            CalibrationError: arrays that cannot be read, of another size, outside of what the
                preprocessing gives, or not finite.
        """
        if self._files:
            place = 0
            for file in self._files:
                for sample in self._of_arrays(file):
                    yield sample._replace(place=place)
                    place += 1
            return
        source = open_source(str(self.path))
        try:
            for item in source.frames():
                yield Sample(item.index, item.frame, {})
        finally:
            source.close()

    def feeds(self, sample: Sample) -> dict[str, F32]:
        """What the network is fed with for a frame; without the states that the data leave out."""
        if sample.frame is not None:
            return self._feeder.frame(sample.frame)
        return dict(sample.tensors)

    def _of_arrays(self, file: Path) -> Iterator[Sample]:
        arrays = _read(file, self._needed, self._inputs)
        pictures = [name for name in arrays if name in self._pictures]
        if len(pictures) == 1 and _is_pictures(arrays[pictures[0]]):
            yield from self._of_pictures(file, arrays[pictures[0]], set(arrays) - set(pictures))
            return
        batches = {
            name: _batch(array, self._inputs[name], f"{file}, {name}")
            for name, array in arrays.items()
        }
        counts = {name: len(batch) for name, batch in batches.items()}
        if len(set(counts.values())) != 1:
            raise CalibrationError(
                f"inputs of unequal numbers of frames: {counts}", where=str(file)
            )
        for index in range(next(iter(counts.values()))):
            tensors = {
                name: _checked(batch[index], self._inputs[name], f"{file}, {name}, frame {index}")
                for name, batch in batches.items()
            }
            yield Sample(index, None, tensors)

    def _of_pictures(self, file: Path, array: Array, others: set[str]) -> Iterator[Sample]:
        if others:
            raise CalibrationError(
                f"pictures, and arrays for {', '.join(sorted(others))} beside them",
                where=str(file),
                hint="give all inputs as what the network takes, float32",
            )
        for index, rgb in enumerate(array[np.newaxis] if array.ndim == 3 else array):
            even = np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])
            yield Sample(index, Nv21Frame.from_rgb(even, Color()), {})


def _array_files(path: Path) -> list[Path]:
    """The files of arrays: one, or those of a folder that holds nothing else; else none."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
        return files if files and all(is_arrays(file.name) for file in files) else []
    return [path] if is_arrays(path.name) else []


def _read(file: Path, needed: list[str], inputs: Mapping[str, InputSpec]) -> dict[str, Array]:
    try:
        loaded = np.load(file, mmap_mode="r", allow_pickle=False)  # a .npy stays on the disk
        if isinstance(loaded, np.ndarray):
            arrays: dict[str, Array] = {needed[0] if len(needed) == 1 else file.stem: loaded}
        else:
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except Exception as error:  # a damaged zip fails in many ways
        raise CalibrationError(f"the arrays cannot be read: {error}", where=str(file)) from error
    for name, array in arrays.items():
        if name not in inputs:
            raise CalibrationError(
                f"the network has no input {name!r}",
                where=str(file),
                hint=did_you_mean(name, inputs),
            )
        if array.dtype.kind not in "fiub" or not array.size:
            raise CalibrationError(
                f"{name!r} is {array.dtype} of {array.shape}: no numbers", where=str(file)
            )
    for name in needed:
        if name not in arrays:
            raise CalibrationError(f"no array for the input {name!r}", where=str(file))
    return arrays


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in images.SUFFIXES


def _is_pictures(array: Array) -> bool:
    return bool(array.dtype == np.uint8 and array.ndim in (3, 4) and array.shape[-1] == 3)


def _batch(array: Array, spec: InputSpec, where: str) -> Array:
    """As (N, *shape of the input)."""
    shape = spec.shape
    if array.shape == shape:
        return array[np.newaxis]
    if array.shape[1:] == shape:
        return array
    if shape[0] == 1 and array.shape[1:] == shape[1:]:
        return array[:, np.newaxis]
    if shape[0] == 1 and array.shape == shape[1:]:
        return array[np.newaxis, np.newaxis]
    hint = _PICTURE if spec.preprocess is not None else ""
    if len(shape) == 4 and array.shape[-3:] == (*shape[2:], shape[1]):
        hint = f"channels are last: np.moveaxis(array, -1, -3); {hint}".rstrip("; ")
    raise CalibrationError(
        f"frames of {list(array.shape)}, the network takes {list(shape)}", where=where, hint=hint
    )


def _checked(value: Array, spec: InputSpec, where: str) -> F32:
    with np.errstate(over="ignore"):  # a double that no float32 holds is infinite, and refused
        tensor = np.asarray(value, np.float32)
    wrong = tensor.size - int(np.count_nonzero(np.isfinite(tensor)))
    if wrong:
        raise CalibrationError(
            f"{wrong} of {tensor.size} numbers are NaN or infinite",
            where=where,
            hint="ranges cannot be taken from them; repair the data, or leave the frame out",
        )
    if spec.preprocess is not None:
        _check_range(tensor, *limits(spec), where)
    return tensor


def limits(spec: InputSpec) -> tuple[F32, F32]:
    """The least and largest number that a picture input can hold, by channel.

    `(v - mean) * scale` for v of 0 and 255.
    """
    assert spec.preprocess is not None  # noqa: S101 - asked for pictures alone
    mean, scale = (
        np.array(values, np.float32) for values in (spec.preprocess.mean, spec.preprocess.scale)
    )
    ends = (0 - mean) * scale, (255 - mean) * scale
    return np.minimum(*ends), np.maximum(*ends)


def _check_range(tensor: F32, low: F32, high: F32, where: str) -> None:
    least, most = (of.reduce(tensor, axis=(0, 2, 3)) for of in (np.minimum, np.maximum))
    slack = _ROUNDING * (high - low)
    outside = (least < low - slack) | (most > high + slack)
    if outside.any():
        at = int(np.argmax(outside))
        raise CalibrationError(
            f"channel {at} is {least[at]:g} to {most[at]:g}, where the declared mean and scale "
            f"give {low[at]:g} to {high[at]:g}",
            where=where,
            hint=_PICTURE,
        )
