"""A model that takes as long as another machine would."""

from __future__ import annotations

import time
from typing import Callable, Dict, Mapping, NamedTuple

from npukit.arrays import Array
from npukit.runtime.base import Model


class Pace(NamedTuple):
    """How the pace was kept.

    Attributes:
        seconds: each inference takes, where this machine is fast enough.
        inferences: how many there were.
        late: how many of them took this machine longer.
        worst_s: the longest.
    """

    seconds: float
    inferences: int
    late: int
    worst_s: float


class PacedModel(Model):
    """Executes another model, and returns no sooner than `seconds` after it was called.

    It never shortens anything: where this machine is slower, its own time stands, and is counted.
    States are kept by the wrapped model.
    """

    def __init__(
        self,
        model: Model,
        seconds: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wrap `model`; `clock` and `sleep` are those of this machine, in seconds."""
        self._model, self._seconds, self._clock, self._sleep = model, seconds, clock, sleep
        self._count = self._late = 0
        self._worst = 0.0
        super().__init__(tuple(model.inputs.values()), tuple(model.outputs.values()), model.states)

    @property
    def pace(self) -> Pace:
        """How it was kept so far."""
        return Pace(self._seconds, self._count, self._late, self._worst)

    def infer(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        """See `Model.infer`."""
        start = self._clock()
        outputs = self._model.infer(inputs)
        taken = self._clock() - start
        self._count += 1
        self._worst = max(self._worst, taken)
        if taken > self._seconds:
            self._late += 1
        else:
            self._sleep(self._seconds - taken)
        return outputs

    def reset(self) -> None:
        """See `Model.reset`."""
        self._model.reset()

    def close(self) -> None:
        """See `Model.close`."""
        self._model.close()

    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        raise NotImplementedError("infer asks the wrapped model")
