"""What models are fed with to compare them: noise, arrays of a file, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from npukit.arrays import F32
from npukit.capture import open_source
from npukit.capture.base import Captured, Source
from npukit.color import Color, Matrix, Range
from npukit.errors import did_you_mean
from npukit.frame import Nv21Frame, Rect, interpolation_flag
from npukit.preprocess import Preprocess, to_tensor
from npukit.runtime.base import input_tensor
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import ComparisonError
from npukit_convert.probes import LARGE, side_by_side

AMPLITUDES = (1.0, 0.1, 0.01)
"""Of the noise. Small ones show what large ones hide: an epsilon at the wrong place, a clip."""

_ARRAYS = (".npy", ".npz")
_BYTE = 1.0 / 255.0


class Feeder:
    """Makes a model's inputs from a frame or from noise.

    Inputs with preprocessing get the frame through it, the others zeros or noise of their own.
    """

    def __init__(self, inputs: Mapping[str, InputSpec]) -> None:
        self.inputs = dict(inputs)

    def frame(self, frame: Nv21Frame) -> dict[str, F32]:
        """The inputs for a frame: of a network with states, for the first one of a clip."""
        return {
            name: np.zeros(spec.shape, np.float32)
            if spec.preprocess is None
            else _tensor(name, spec, spec.preprocess, frame)
            for name, spec in self.inputs.items()
        }

    def noise(self, amplitude: float, seed: int) -> dict[str, F32]:
        """Noise: bytes around the middle for pictures, normally distributed for the others.

        Args:
            amplitude: of the full range of a byte; or the standard deviation.
            seed: the same for models that are compared.
        """
        return {
            name: _noise(name, spec, amplitude, np.random.default_rng((seed, place)))
            for place, (name, spec) in enumerate(self.inputs.items())
        }

    def noises(self, seed: int) -> list[tuple[str, dict[str, F32]]]:
        """Noise of each of `AMPLITUDES` with a title; of a large network all in one input."""
        each = [(f"{size:g}", self.noise(size, seed)) for size in AMPLITUDES]
        if sum(math.prod(spec.shape) for spec in self.inputs.values()) <= LARGE:
            return each
        titles, feeds = zip(*each, strict=True)
        joined = {name: side_by_side([one[name] for one in feeds]) for name in self.inputs}
        return [(f"{', '.join(titles)} side by side", joined)]


class Picture(NamedTuple):
    """A frame and what to call it."""

    name: str
    frame: Nv21Frame


def is_arrays(path: str) -> bool:
    """Whether a file is one of arrays, by its name."""
    return path.lower().endswith(_ARRAYS)


def read_arrays(path: str, names: Mapping[str, object]) -> dict[str, F32]:
    """The arrays of a .npz by name, or the one of a .npy for a model with one input.

    Raises:
        ComparisonError: the file cannot be read, or its names are not those of the inputs.
    """
    try:
        with Path(path).open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                only = next(iter(names)) if len(names) == 1 else Path(path).stem
                arrays = {only: loaded}
            else:
                arrays = {name: loaded[name] for name in loaded.files}
    except Exception as error:  # a damaged zip fails in many ways
        raise ComparisonError(f"the arrays cannot be read: {error}", where=path) from error
    for name, array in arrays.items():
        if name not in names:
            raise ComparisonError(
                f"the models have no input {name!r}", where=path, hint=did_you_mean(name, names)
            )
        if array.dtype.kind not in "fiub":
            raise ComparisonError(f"{name!r} holds {array.dtype}, no numbers", where=path)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ComparisonError(f"no array for the input {missing[0]!r}", where=path)
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def read_pictures(uri: str, count: int) -> list[Picture]:
    """At most `count` frames of a picture, folder or video, spread evenly over it.

    Raises:
        CaptureError: it cannot be opened or read.
        ComparisonError: it holds no frame.
    """
    source = open_source(uri)
    try:
        kept = list(_spread(source, count))
    finally:
        source.close()
    if not kept:
        raise ComparisonError("it holds no frame", where=uri)
    return [Picture(f"frame {item.index}", item.frame) for item in kept]


def assumed_preprocess(shape: tuple[int, ...]) -> Preprocess | None:
    """What a picture input most often takes: the whole picture as RGB or gray, 0..1.

    None where the shape is not that of a picture, (1, 3, H, W) or (1, 1, H, W).
    """
    if len(shape) != 4 or shape[:2] not in ((1, 3), (1, 1)):
        return None
    if shape[1] == 3:
        return Preprocess(source="rgb888", to="rgb", scale=(_BYTE, _BYTE, _BYTE))
    return Preprocess(color=Color(Matrix.BT601, Range.FULL), to="gray", mean=(0.0,), scale=(_BYTE,))


def _spread(source: Source, count: int) -> Iterator[Captured]:
    """Frames at even distances; all are read where the source does not know how many it has."""
    total = source.frame_count
    if total is not None:
        wanted = set(np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist())
        yield from (_own(item) for item in source.frames() if item.index in wanted)
        return
    step, kept = 1, list[Captured]()
    for item in source.frames():
        if item.index % step == 0:
            kept.append(_own(item))
        if len(kept) > count:
            step *= 2
            kept = [item for item in kept if item.index % step == 0]
    yield from kept


def _own(item: Captured) -> Captured:
    """The same with a frame that outlives the decoder's memory."""
    frame = Nv21Frame.from_packed(item.frame.pack(), item.frame.color)
    return Captured(frame, item.index, item.time_s)


def _tensor(name: str, spec: InputSpec, preprocess: Preprocess, frame: Nv21Frame) -> F32:
    height, width = spec.shape[-2:]
    if height % 2 or width % 2:  # NV21 has no odd sizes
        return _odd(preprocess, frame, (width, height))
    whole = Rect(0, 0, *frame.size) if preprocess.geometry == "roi" else None
    return to_tensor(preprocess, input_tensor(name, spec, name).feed(frame, whole))


def _odd(preprocess: Preprocess, frame: Nv21Frame, size: tuple[int, int]) -> F32:
    """`to_tensor` of the whole frame, resized as RGB, BGR or gray."""
    if preprocess.to == "gray":
        picture = frame.recolor(preprocess.color).y
    else:
        picture = frame.to_rgb() if preprocess.to == "rgb" else frame.to_bgr()
    resized = cv2.resize(picture, size, interpolation=interpolation_flag(preprocess.resize))
    planes = np.array(cv2.split(resized), np.float32)
    mean, scale = (
        np.array(values, np.float32).reshape(-1, 1, 1)
        for values in (preprocess.mean, preprocess.scale)
    )
    tensor: F32 = ((planes - mean) * scale)[np.newaxis]
    return tensor


def _noise(name: str, spec: InputSpec, amplitude: float, random: np.random.Generator) -> F32:
    if spec.preprocess is None:
        return (amplitude * random.standard_normal(spec.shape)).astype(np.float32)
    height, width = spec.shape[-2:]
    levels = 127.5 * (1.0 + amplitude * random.uniform(-1.0, 1.0, (height * 3 // 2, width)))
    frame = Nv21Frame.from_packed(levels.round().astype(np.uint8), spec.preprocess.color)
    return _tensor(name, spec, spec.preprocess, frame)
