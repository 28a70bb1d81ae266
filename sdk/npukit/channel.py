"""The bounded queue between two threads of a pipeline."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Generic, Iterator, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Items in order from one producer to one consumer; either side can end it.

    Attributes:
        dropped: items that were thrown away because the consumer was slow.
    """

    def __init__(self, capacity: int, drop_oldest: bool = False) -> None:
        """Hold at most `capacity` items; a full channel blocks, or drops its oldest item."""
        self._items: Deque[T] = deque()
        self._capacity = capacity
        self._drop_oldest = drop_oldest
        self._changed = threading.Condition()
        self._closed = False
        self._cancelled = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Add an item; False when the consumer wants no more."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._cancelled:
                if self._drop_oldest:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            if self._cancelled:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Called by the producer: nothing follows; what is here is still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Called by the consumer: nothing more is taken; what is here is forgotten."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """The items until the channel is closed and empty."""
        while True:
            with self._changed:
                while not self._items and not self._closed and not self._cancelled:
                    self._changed.wait()
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
