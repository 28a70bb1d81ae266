"""No display: frames are taken and dropped (for measuring)."""

from __future__ import annotations

from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame


class NullSink(Sink):
    """`null`."""

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Only by its name."""
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if target:
            raise DisplayError("null takes no target", where="null:" + target)
        return cls("null")

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
