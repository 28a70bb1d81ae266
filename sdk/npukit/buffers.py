"""Reuse of large arrays: a frame's worth of fresh memory costs more than filling it."""

from __future__ import annotations

import sys
import threading
from typing import Any, Dict, List, Tuple

import numpy as np

from npukit.arrays import U8, Array

# An array that is in nobody's hands, to compare with: how many references the interpreter
# counts for one differs between its versions.
_UNUSED = [np.empty(0, np.uint8)]


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
            for index in range(len(kept)):
                if _references(kept, index) == _references(_UNUSED, 0):
                    return kept[index]
            fresh = np.empty(shape, np.uint8)
            if len(kept) < self._limit:
                kept.append(fresh)
            return fresh


class Scratch:
    """Working memory of one caller in one thread: the same bytes again at each call."""

    def __init__(self) -> None:
        self._kept: Dict[str, Array] = {}

    def take(self, name: str, shape: Tuple[int, ...], dtype: Any) -> Array:
        """A contiguous array, contents undefined; valid until `name` is taken again."""
        size = int(np.prod(shape))
        kept = self._kept.get(name)
        if kept is None or kept.size < size or kept.dtype != dtype:
            kept = self._kept[name] = np.empty(size, dtype)
        return kept[:size].reshape(shape)


def _references(arrays: List[U8], index: int) -> int:
    return sys.getrefcount(arrays[index])
