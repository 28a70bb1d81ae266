"""A simulated HDMI connector: what the HiLens Kit would send to the screen."""

from __future__ import annotations

import fcntl
import os
import tempfile
from typing import Optional, Tuple

from npukit.canvas import on_black
from npukit.display import open_sink
from npukit.display.base import Sink
from npukit.errors import DisplayError, FrameError
from npukit.frame import Nv21Frame

# Source: HiLens framework 1.1.0, display_hdmi.cpp (1080p60, width aligned to 32, one user), and
# the developer guide's page on output (smallest size).
WIDTH, HEIGHT = 1920, 1080
ALIGN = 32
SMALLEST = 128


class HdmiSink(Sink):
    """`hdmi`, or `hdmi:SINK`: each frame centred on a black 1920x1080 canvas, given to SINK.

    One user at a time on a machine, as there is one connector on the Kit. 60 Hz is not simulated:
    every frame gives one picture, as fast as frames come.
    """

    def __init__(self, sink: Sink, lock: int) -> None:
        super().__init__("hdmi" if sink.target == "null" else "hdmi:" + sink.target)
        self.lossless = sink.lossless
        self._sink = sink
        self._lock: Optional[int] = lock
        self._size: Optional[Tuple[int, int]] = None

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Only by its name."""
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        lock = _take_connector()
        try:
            return cls(open_sink(target or "null"), lock)
        except BaseException:
            os.close(lock)
            raise

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""
        self._check(frame.size)
        try:
            picture = on_black(frame, WIDTH, HEIGHT, ALIGN)
        except FrameError as error:
            raise DisplayError(error.message, where=self.target, hint=error.hint) from error
        self._sink.show(picture, time_s)

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
        if self._lock is None:
            return
        try:
            self._sink.close(complete)
        finally:
            self.notices.extend(self._sink.notices)
            os.close(self._lock)
            self._lock = None

    def _check(self, size: Tuple[int, int]) -> None:
        self._size = self._size or size
        if size != self._size:
            raise DisplayError(
                "the first frame was {}x{}, this one is {}x{}".format(*self._size + size),
                where=self.target,
            )
        if min(size) < SMALLEST:
            raise DisplayError(
                "{}x{} is too small for HDMI".format(*size),
                where=self.target,
                hint="at least {0}x{0}".format(SMALLEST),
            )


def _take_connector() -> int:
    """The lock on the one connector, free again when it is closed or its process ends."""
    path = os.path.join(tempfile.gettempdir(), "npukit-hdmi.lock")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            lock = os.open(path, flags)
        except FileNotFoundError:
            lock = os.open(path, flags | os.O_CREAT, 0o444)
    except OSError as error:
        raise DisplayError("cannot be locked: {}".format(error), where="hdmi") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise DisplayError(
            "in use: it takes one display at a time",
            where="hdmi",
            hint="end the other run; {} is held by it".format(path),
        ) from error
    return lock
