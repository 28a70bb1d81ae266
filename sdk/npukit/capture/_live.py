"""What cameras and network streams share: time-outs, reconnection, a clock that only rises."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from npukit.capture._options import number
from npukit.capture._reader import End, Reader, Shot, Shots
from npukit.capture.base import Captured, Source
from npukit.errors import CaptureError

FIRST_WAIT_S = 0.5  # before the first attempt to reconnect; doubled for each further one
LONGEST_WAIT_S = 8.0
_JUMP_S = 10.0  # a device's clock that leaps further than that is not believed


class Patience(NamedTuple):
    """How long a source waits, and how often it tries again.

    Attributes:
        timeout_s: without a sign of life, to connect and between pictures.
        reconnect: attempts in a row; None is for ever.
    """

    timeout_s: float = 5.0
    reconnect: Optional[int] = 8

    @classmethod
    def parse(cls, options: Mapping[str, str], where: str) -> Patience:
        """From the options of `NAMES`.

        Raises:
            CaptureError: a value out of range.
        """
        timeout_s, reconnect = cls()
        if "timeout" in options:
            timeout_s = number("timeout", options["timeout"], 0.1, 600, where)
        if options.get("reconnect") == "forever":
            reconnect = None
        elif "reconnect" in options:
            reconnect = int(number("reconnect", options["reconnect"], 0, 1e6, where))
        return cls(timeout_s, reconnect)


NAMES = ("timeout", "reconnect")


def back_off_s(attempts: int) -> float:
    """Seconds to wait after so many attempts in a row: 0.5, 1, 2, 4, 8, 8, ... (no jitter)."""
    return float(min(FIRST_WAIT_S * 2 ** min(attempts, 16), LONGEST_WAIT_S))


class LiveSource(Source):
    """A source that can fall silent, vanish and come back."""

    live = True

    def __init__(self, uri: str, patience: Patience) -> None:
        super().__init__(uri, 30.0)
        self._patience = patience
        self._stopped = threading.Event()
        self._lost: List[End] = []  # since the last picture
        self._clock = _Clock()
        self._tallies: Dict[str, Tuple[int, int]] = {}  # event: place in notices, how often
        self._tally_lock = threading.Lock()
        self._reader = Reader(self._shots, patience.timeout_s)

    @abstractmethod
    def _shots(self, reader: Reader) -> Shots:
        """Connect and give pictures; runs in the thread of `reader`.

        Raises:
            LostError: it cannot be connected, or is lost.
        """

    def connect(self) -> None:
        """Wait for the first picture; a failure is told at once, without another attempt.

        Raises:
            CaptureError: there is none.
        """
        try:
            self._reader.start()
            end = self._reader.wait()
        except BaseException:  # such as Ctrl-C
            self.close()
            raise
        if end is not None:
            self.close()
            raise CaptureError(end.reason, where=self.uri, hint=end.hint)

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`; a live source has no end, but for `stop` and `close`."""
        self._reader.missed = 0
        index, size = 0, (0, 0)
        while True:
            shot = self._next()
            if shot is None:
                return
            if index and shot.frame.size != size:
                raise CaptureError(
                    "the picture changes from {} to {}".format(size, shot.frame.size),
                    where="{}, frame {}".format(self.uri, index),
                    hint="start again: all that follows is set up for one size",
                )
            size = shot.frame.size
            yield Captured(shot.frame, index, self._clock.place(shot.stamp_s, self.fps))
            index += 1

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopped.set()
        self._reader.abandon()

    def close(self) -> None:
        """See `Source.close`; a thread that is stuck in its device is left to itself."""
        self._stopped.set()
        self._reader.finish()

    def tally(self, event: str, times: int = 1) -> None:
        """A notice for each kind of event, with how often it happened."""
        with self._tally_lock:
            place, count = self._tallies.get(event, (len(self.notices), 0))
            self._tallies[event] = place, count + times
            self.notices[place : place + 1] = ["{} ({}x)".format(event, count + times)]

    def _next(self) -> Optional[Shot]:
        """The next picture, after reconnecting if need be; None when stopped."""
        while not self._stopped.is_set():
            shot = self._reader.take()
            if shot is not None:
                self._tell()
                return shot
            if not self._stopped.is_set():
                self._reconnect(self._reader.end or End("the stream ended"))
        return None

    def _tell(self) -> None:
        missed, self._reader.missed = self._reader.missed, 0
        if missed:
            self.tally("pictures dropped because they were not fetched in time", missed)
        if self._lost:
            self.tally("connected anew, because: " + self._lost[0].reason)
            self._lost = []

    def _reconnect(self, end: End) -> None:
        attempts = len(self._lost)
        self._lost.append(end)
        limit = self._patience.reconnect
        if end.final or (limit is not None and attempts >= limit):
            raise self._given_up(attempts)
        if self._stopped.wait(back_off_s(attempts)):
            return
        self._reader.finish()  # many a device can be opened once only
        self._clock.interrupt()
        self._reader = Reader(self._shots, self._patience.timeout_s)
        self._reader.start()
        if self._stopped.is_set():  # `stop` may have met the reader before this one
            self._reader.abandon()

    def _given_up(self, attempts: int) -> CaptureError:
        first, last = self._lost[0], self._lost[-1]
        text = first.reason
        if attempts:
            text += "; gave up after {} attempt{} to connect anew".format(
                attempts, "" if attempts == 1 else "s"
            )
        if last.reason != first.reason:
            text += ", the last one: " + last.reason
        return CaptureError(text, where=self.uri, hint=last.hint or first.hint)


class _Clock:
    """Seconds since the first picture: by the device's clock, and rising whatever that does."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._stamp_s: Optional[float] = None
        self._at: Optional[float] = None

    def interrupt(self) -> None:
        """The next stamp has nothing to do with the last one."""
        self._stamp_s = None

    def place(self, stamp_s: Optional[float], fps: float) -> float:
        now = time.monotonic()
        if self._at is not None:
            waited = now - self._at
            step = 0.0
            if stamp_s is not None and self._stamp_s is not None:
                step = stamp_s - self._stamp_s
            if not 0 < step < waited + _JUMP_S:
                step = max(waited, 1 / fps)
            self._time_s += step
        self._stamp_s, self._at = stamp_s, now
        return self._time_s
