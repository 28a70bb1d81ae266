"""Times of a run, in fixed memory, however long it is."""

from __future__ import annotations

import math
from typing import Dict

import numpy as np

_PER_DECADE = 100  # buckets: a reading is within 2.4 % of the time it stands for
_SHORTEST = 1e-7  # seconds
_DECADES = 10


class Timings:
    """A histogram of durations in logarithmic buckets, from 0.1 µs to 1000 s.

    Written by one thread; read when that thread is done.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_PER_DECADE * _DECADES, np.int64)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        place = int(_PER_DECADE * math.log10(max(seconds, _SHORTEST) / _SHORTEST))
        self._counts[min(place, len(self._counts) - 1)] += 1
        self.total_s += seconds

    @property
    def count(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def percentile(self, percent: float) -> float:
        """Seconds that `percent` of the durations do not exceed; 0 when there are none."""
        if not self.count:
            return 0.0
        running = np.cumsum(self._counts)
        place = int(np.searchsorted(running, self.count * percent / 100.0))
        return float(_SHORTEST * 10 ** ((place + 0.5) / _PER_DECADE))

    def to_dict(self) -> Dict[str, float]:
        """Count, and p50, p95 and p99 in milliseconds."""
        data: Dict[str, float] = {"count": self.count}
        for percent in (50, 95, 99):
            data["p{}_ms".format(percent)] = round(1e3 * self.percentile(percent), 4)
        return data
