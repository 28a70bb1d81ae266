"""A thread that reads a device, so that nobody else waits for one that does not answer."""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque
from typing import Callable, Deque, Generator, NamedTuple, Optional

from npukit.frame import Nv21Frame

_GOODBYE_S = 0.3  # for a thread that is not stuck to leave its device in good order
_WAITING = 3  # pictures that wait to be fetched: enough for jitter, and fresh
_BACKLOG_S = 2.0  # a server begins with what it has kept: skipping that is no loss
_BLIND = 4  # so many time-outs may pass with data that gives no picture (a long GOP)


class Shot(NamedTuple):
    """A picture, and when it was taken by the device's own clock; None if that is unknown."""

    frame: Nv21Frame
    stamp_s: Optional[float]


# What a device gives: pictures, and None as a sign of life without one. The first thing it
# gives says that it is connected; the generator's end releases the device.
Shots = Generator[Optional[Shot], None, None]


class End(NamedTuple):
    """Why no pictures come any more.

    Attributes:
        reason: the same text for the same cause, since they are counted by it.
        hint: what to do next.
        final: to try again is of no use, or does harm.
    """

    reason: str
    hint: str = ""
    final: bool = False


class LostError(Exception):
    """Raised by a device that gives no pictures (any more); never leaves the reading thread."""

    def __init__(self, reason: str, hint: str = "", final: bool = False) -> None:
        super().__init__(reason)
        self.end = End(reason, hint, final)


class Reader:
    """Reads one connection; what it read waits here, and the oldest goes when too much does.

    Attributes:
        end: why it ended, None while it reads.
        missed: pictures that were not fetched in time, but for those of the beginning.
    """

    def __init__(self, connect: Callable[[Reader], Shots], timeout_s: float) -> None:
        """Read what `connect` gives for this reader, and allow it to be silent for `timeout_s`."""
        self.end: Optional[End] = None
        self.missed = 0
        self._wake: Optional[Callable[[], None]] = None
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._waiting: Deque[Shot] = deque()
        self._bug: Optional[Exception] = None
        self._connected = False
        self._began_at = self._alive_at = self._picture_at = 0.0
        # It may be stuck in a driver when Python wants to end: it must not be waited for.
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._shots = connect(self)

    def start(self) -> None:
        """Begin; once."""
        self._began_at = self._alive_at = self._picture_at = time.monotonic()
        self._thread.start()
        _running.add(self)

    def wake_by(self, wake: Optional[Callable[[], None]]) -> None:
        """What gets the thread out of its device, if anything does; called from another one."""
        with self._changed:
            self._wake = wake

    def finish(self) -> None:
        """Abandon it and have the device released; a thread that is stuck in it is left behind."""
        self.abandon()
        if self._thread.ident is None:
            return
        self._thread.join(_GOODBYE_S)
        with self._changed:
            if self._wake is not None:
                self._wake()
        self._thread.join(_GOODBYE_S)

    def abandon(self) -> None:
        """Nothing more is wanted: who waits is woken, the thread ends with its next picture."""
        with self._changed:
            self.end = self.end or End("stopped")
            self._waiting.clear()
            self._changed.notify_all()

    def wait(self) -> Optional[End]:
        """None as soon as a picture is there; else why there will be none."""
        with self._changed:
            while not self._waiting and self.end is None:
                left = self._patience_left()
                if left > 0:
                    self._changed.wait(left)
                else:
                    self.end = self._silence()
            if self._bug is not None:
                raise self._bug
            return None if self._waiting else self.end

    def take(self) -> Optional[Shot]:
        """The next picture; None when there will be none, `end` says why."""
        with self._changed:
            return None if self.wait() else self._waiting.popleft()

    def _read(self) -> None:
        end, bug = End("the stream ended"), None
        try:
            for shot in self._shots:
                if not self._put(shot):
                    break
            self._shots.close()
        except LostError as lost:
            end = lost.end
        except Exception as error:  # noqa: BLE001 - raised where the pictures are taken
            bug = error
        with self._changed:
            self._bug = bug if self.end is None else None
            self.end = self.end or end
            self._changed.notify_all()

    def _put(self, shot: Optional[Shot]) -> bool:
        """Whether more is wanted."""
        with self._changed:
            if self.end is not None:
                return False
            self._connected = True
            self._alive_at = time.monotonic()
            if shot is not None:
                self._picture_at = self._alive_at
                if len(self._waiting) == _WAITING:
                    self._waiting.popleft()
                    self.missed += self._alive_at > self._began_at + _BACKLOG_S
                self._waiting.append(shot)
                self._changed.notify_all()
            return True

    def _patience_left(self) -> float:
        silent_from = min(self._alive_at, self._picture_at + (_BLIND - 1) * self._timeout_s)
        return silent_from + self._timeout_s - time.monotonic()

    def _silence(self) -> End:
        if not self._connected:
            return no_answer(self._timeout_s)
        if time.monotonic() < self._alive_at + self._timeout_s:
            return End("data came, but for {:g} s no picture".format(_BLIND * self._timeout_s))
        return silence(self._timeout_s)


_running: weakref.WeakSet[Reader] = weakref.WeakSet()


@atexit.register
def _finish_all() -> None:
    """Where nobody closed: a thread that comes out of a driver while Python ends may crash it."""
    for reader in list(_running):
        reader.abandon()
    for reader in list(_running):
        reader.finish()


def no_answer(timeout_s: float) -> End:
    """Of a device that does not get as far as being connected."""
    return End("no answer within {:g} s".format(timeout_s), "timeout=S waits longer")


def silence(timeout_s: float) -> End:
    """Of a device that was connected and gives nothing."""
    return End("nothing came for {:g} s".format(timeout_s), "timeout=S waits longer")
