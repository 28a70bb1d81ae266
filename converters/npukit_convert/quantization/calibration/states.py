"""States of a network as they are in the middle of a clip."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import prod

import numpy as np

from npukit.arrays import F32
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.execute.base import Executor
from npukit_convert.quantization.calibration.samples import Sample, Samples

_BEFORE = 4  # frames before a wanted one that the network sees, for its state to settle


class States:
    """What a network is fed back: zeros at first, as on the board."""

    def __init__(self, inputs: Mapping[str, InputSpec], states: Mapping[str, str]) -> None:
        self._shapes = {name: inputs[name].shape for name in states}
        self._states = dict(states)
        self.reset()

    def reset(self) -> None:
        """Zeros."""
        self.now = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}

    def take(self, outputs: Mapping[str, F32]) -> None:
        """What the next frame is given.

        Raises:
            CalibrationError: an output is no such state.
        """
        for into, out in self._states.items():
            if outputs[out].size != prod(self._shapes[into]):
                raise CalibrationError(
                    f"output {out!r} {list(outputs[out].shape)} cannot be fed back as input "
                    f"{into!r} {list(self._shapes[into])}"
                )
            self.now[into] = outputs[out].reshape(self._shapes[into])


def settled(
    samples: Samples,
    wanted: Collection[int],
    states: States,
    network: Callable[[], Executor],
) -> Iterator[tuple[Sample, dict[str, F32]]]:
    """The wanted frames, each with its states.

    The network runs over the four frames before each, from zeros; a frame that is near the
    beginning has what it would have on the board.

    Args:
        samples: all frames.
        wanted: indices.
        states: of the network; unused by one without.
        network: opens the float32 network; not called without states.
    """
    if not states.now:
        yield from ((sample, {}) for sample in _until(samples, wanted) if sample.place in wanted)
        return
    with network() as executor:
        fresh = True
        for sample in _until(samples, wanted):
            if not any(
                index in wanted for index in range(sample.place, sample.place + _BEFORE + 1)
            ):
                fresh = True
                continue
            if fresh:
                states.reset()
                fresh = False
            given = {**states.now, **samples.feeds(sample)}
            if sample.place in wanted:
                yield sample, {name: given[name] for name in states.now}
            states.take(executor.run(given))


def _until(samples: Iterable[Sample], wanted: Collection[int]) -> Iterator[Sample]:
    """The frames up to the last that is wanted: the others need not be decoded."""
    last = max(wanted, default=-1)
    for sample in samples:
        if sample.place > last:
            return
        yield sample
