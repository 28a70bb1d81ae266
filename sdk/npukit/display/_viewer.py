"""The process behind the window sink: shows what comes on its standard input.

OpenCV's windows (Qt in its wheels) belong to one thread, end the process when the display cannot
be reached, and keep what was made in a thread that has ended; a process of their own has none of
that to spread.
"""

from __future__ import annotations

import select
import signal
from typing import IO, Optional, Tuple

import cv2

from npukit.display._process import CLOSED, ERROR, READY, answer, read_frame, read_settings
from npukit.frame import Nv21Frame

_STYLE = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | getattr(cv2, "WINDOW_GUI_NORMAL", 0)
_QUIT_KEYS = (ord("q"), 27)  # 27: Escape
_IDLE_S = 0.01  # how long a key waits while no frame comes


def main() -> None:
    """Show frames until the parent closes the pipe or the user the window."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the parent
    try:
        with open(0, "rb", buffering=0) as stream:
            _Window(read_settings(stream)["title"]).run(stream)
    except cv2.error as error:
        answer("{} {}".format(ERROR, str(error).strip()))


class _Window:
    """An OpenCV window."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._size: Optional[Tuple[int, int]] = None
        self._shown = False
        cv2.namedWindow(title, _STYLE)
        cv2.waitKey(1)
        answer(READY)

    def run(self, stream: IO[bytes]) -> None:
        """Show until either side ends it."""
        while not self._closed():
            # A frame that began to come is read whole: the parent is writing it.
            if not select.select([stream], [], [], _IDLE_S)[0]:
                continue
            taken = read_frame(stream)
            if taken is None:
                cv2.destroyAllWindows()
                return
            self._show(taken[0])
        answer(CLOSED)

    def _show(self, frame: Nv21Frame) -> None:
        if frame.size != self._size:
            self._size = frame.size
            cv2.resizeWindow(self._title, *frame.size)
        cv2.imshow(self._title, frame.to_bgr())

    def _closed(self) -> bool:
        """Handle what the user did; whether that was to end it."""
        if cv2.waitKey(1) & 0xFF in _QUIT_KEYS:
            return True
        try:
            visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt's own end, after its last window
            visible = False
        # Toolkits that do not know the property, or that have not shown the window yet.
        self._shown = self._shown or visible
        return self._shown and not visible


if __name__ == "__main__":
    main()
