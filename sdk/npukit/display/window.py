"""A window on the desktop, by OpenCV."""

from __future__ import annotations

import os
import sys
from typing import Optional

from npukit.display._process import CLOSED, READY, FrameProcess
from npukit.display.base import Sink
from npukit.errors import DisplayClosed, DisplayError
from npukit.frame import Nv21Frame

_SERVERS = ("DISPLAY", "WAYLAND_DISPLAY")
_START_S = 30.0  # OpenCV's first import on a slow board
_FRAME_S = 30.0  # a window that takes nothing for so long hangs
_END_S = 5.0
_HINT = "run it from a desktop, or show to a file instead: out.mp4"


class WindowSink(Sink):
    """`window` or `window:TITLE`. Closing it, or q or Esc in it, ends the run.

    The oldest waiting frame is dropped where the desktop is slow. A file is shown as fast as it
    is processed.
    """

    lossless = False

    def __init__(self, title: str, process: FrameProcess) -> None:
        super().__init__("window:" + title if title else "window")
        self._process: Optional[FrameProcess] = process
        self._count = 0

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Only by its name."""
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if sys.platform.startswith("linux") and not any(map(os.environ.get, _SERVERS)):
            raise DisplayError(
                "there is no display: neither {} is set".format(" nor ".join(_SERVERS)),
                where="window",
                hint=_HINT,
            )
        process = FrameProcess("npukit.display._viewer", {"title": target or "npukit"})
        try:
            said = process.answer(_START_S)
            problem = "" if said == READY else process.reason(said)
        except TimeoutError as error:
            problem = str(error)
        if problem:
            process.end(0.0)
            raise DisplayError(
                "OpenCV opens no window: {}".format(problem), where="window", hint=_HINT
            )
        return cls(target, process)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`.

        Raises:
            DisplayClosed: the user closed the window.
        """
        process = self._process
        if process is None:
            raise DisplayClosed("the window is closed", where=self.target)
        try:
            process.send(frame, time_s, _FRAME_S)
        except TimeoutError as error:
            raise DisplayError("the window hangs: {}".format(error), where=self.target) from error
        except BrokenPipeError:
            self._process = None
            raise self._ended(process) from None
        self._count += 1

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
        process, self._process = self._process, None
        if process is not None:
            process.end(_END_S)

    def _ended(self, process: FrameProcess) -> DisplayError:
        said = process.last_words()
        closed = said == CLOSED
        reason = "" if closed else process.reason(said)
        process.end(_END_S)
        if closed:
            return DisplayClosed(
                "the window was closed after {} frames".format(self._count), where=self.target
            )
        return DisplayError("the window is gone: {}".format(reason), where=self.target)
