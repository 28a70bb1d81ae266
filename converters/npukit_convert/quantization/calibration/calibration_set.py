"""What activation ranges are taken from: frames of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np

from npukit.arrays import F32
from npukit.frame import Nv21Frame
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.calibration.distinct import choose, in_levels, thumbnail
from npukit_convert.quantization.calibration.samples import Sample, Samples
from npukit_convert.quantization.calibration.states import States, settled
from npukit_convert.quantization.results import CalibrationSummary
from npukit_convert.quantization.settings import CalibrationConfig

NOISE = "noise"
_LOUDEST = 1.0  # of the noise: the whole range of a byte


class Feeds(Sequence[Mapping[str, F32]]):
    """Network inputs, one frame each; made when they are asked for, as frames are smaller."""

    def __init__(
        self,
        samples: Sequence[Sample],
        states: Sequence[Mapping[str, F32]],
        feeder: Feeder,
    ) -> None:
        self._samples, self._states, self._feeder = samples, states, feeder

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, place: int) -> dict[str, F32]: ...
    @overload
    def __getitem__(self, place: slice) -> Feeds: ...
    def __getitem__(self, place: int | slice) -> dict[str, F32] | Feeds:
        if isinstance(place, slice):
            return Feeds(self._samples[place], self._states[place], self._feeder)
        sample = self._samples[place]
        made = self._feeder.frame(sample.frame) if sample.frame else dict(sample.tensors)
        return {**self._states[place], **made}


@dataclass(frozen=True)
class CalibrationSet:
    """Frames to calibrate on.

    Attributes:
        feeds: network inputs, a frame each, with its states.
        frames: as they were read; empty where there were none, as of arrays.
        summary: for the record and the report.
        path: that was read; None for noise.
        indices: places of the frames in it.
        table: thumbnails of the frames, see `distinct.thumbnail`; (N, M) levels of 0..255.
    """

    feeds: Sequence[Mapping[str, F32]]
    frames: Sequence[Nv21Frame]
    summary: CalibrationSummary
    path: Path | None = None
    indices: tuple[int, ...] = ()
    table: F32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def read_calibration(
    config: CalibrationConfig,
    folder: Path,
    inputs: Mapping[str, InputSpec],
    states: Mapping[str, str],
    network: bytes,
    where: str,
) -> CalibrationSet:
    """Read the frames that a config asks for, through the preprocessing of the board.

    All frames are looked at as thumbnails, and a choice of them is read again: at most
    `config.samples` distinct ones, spread evenly (see `distinct.choose`). The choice depends on
    nothing but the data.

    Args:
        config: what to read.
        folder: that the config lies in.
        inputs: of the network, with their preprocessing.
        states: input to the output that is fed back: fed with what the network itself gives on
            the frames before.
        network: float32 ONNX.
        where: the config, for messages.

    Raises:
        CalibrationError: no frame, or frames that the network cannot be fed with.
        CaptureError: a picture or video cannot be read.
    """
    if config.frames is None:
        return _noise(config.samples, inputs)
    where = f"{where}, calibration.frames"
    samples = Samples(folder / config.frames, inputs, states, where)
    thumbnails: list[F32] = []
    first: Sample | None = None
    for sample in samples:
        thumbnails.append(thumbnail(sample, inputs))
        first = first or sample.owned()
    if first is None:
        raise CalibrationError(f"{config.frames} holds no frame", where=where)
    table = in_levels(thumbnails, first, inputs)
    chosen = choose(table, config.samples)
    pairs = [
        (sample.owned(), given)
        for sample, given in settled(
            samples, set(chosen), States(inputs, states), partial(OnnxRuntime, network, where)
        )
    ]
    kept = [sample for sample, _ in pairs]
    pictures = {name: spec for name, spec in inputs.items() if spec.preprocess is not None}
    feeds = Feeds(kept, [given for _, given in pairs], Feeder(pictures))
    return CalibrationSet(
        feeds,
        [sample.frame for sample in kept if sample.frame is not None],
        CalibrationSummary(samples.path.name, len(table), len(kept), False, digest(feeds)),
        path=samples.path,
        indices=tuple(sample.place for sample in kept),
        table=table[chosen],
    )


def digest(feeds: Sequence[Mapping[str, F32]]) -> str:
    """SHA-256 of all tensors, in order."""
    found = hashlib.sha256()
    for feed in feeds:
        for name in sorted(feed):
            found.update(name.encode())
            found.update(np.ascontiguousarray(feed[name], "<f4").tobytes())
    return found.hexdigest()


def _noise(count: int, inputs: Mapping[str, InputSpec]) -> CalibrationSet:
    feeder = Feeder(inputs)
    feeds = [feeder.noise(_LOUDEST, seed) for seed in range(count)]
    return CalibrationSet(feeds, [], CalibrationSummary(NOISE, count, count, True, digest(feeds)))
