"""Reuse of large arrays: a frame's worth of fresh memory costs more than filling it."""

from __future__ import annotations

import sys
import threading
from typing import Dict, List, Tuple

import numpy as np

from npukit.arrays import U8

# What sys.getrefcount reports for an array that only the pool's list, the loop variable
# and the call itself refer to.
_UNUSED = 3


class BufferPool:
    """Hands out uint8 arrays and takes each back once nothing refers to it any more.

    There is nothing to release: numpy makes every view hold its owner, so an array whose
    reference count is that of the pool alone is in nobody's hands. Thread-safe.
    """

    def __init__(self, limit: int = 16) -> None:
        """Keep at most `limit` arrays of one shape; more are plain allocations."""
        self._limit = limit
        self._lock = threading.Lock()
        self._arrays: Dict[Tuple[int, ...], List[U8]] = {}

    def take(self, *shape: int) -> U8:
        """An array of `shape`, uint8, contents undefined."""
        with self._lock:
            kept = self._arrays.setdefault(shape, [])
            for array in kept:
                if sys.getrefcount(array) == _UNUSED:
                    return array
            fresh = np.empty(shape, np.uint8)
            if len(kept) < self._limit:
                kept.append(fresh)
            return fresh
