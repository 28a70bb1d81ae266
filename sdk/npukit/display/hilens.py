"""The HiLens Kit's HDMI, RTMP and H.264 outputs, through the vendor's `hilens` module."""

from __future__ import annotations

from typing import Any

import hilens

from npukit.color import DEFAULT_COLOR
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

_SHOWN = {hilens.HDMI: "hdmi", hilens.RTMP: "rtmp"}


class HilensSink(Sink):
    """`hilens` or `hilens:hdmi`, `hilens:rtmp://...`, `hilens:FILE.h264`."""

    lossless = False

    def __init__(self, target: str, display: Any, is_file: bool) -> None:
        super().__init__(target)
        self.lossless = is_file
        self._display = display
        self._count = 0

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Only by its prefix."""
        return False

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        kind = _kind(target)
        # An RTMP address holds the key of the stream.
        shown = "hilens:" + (target if kind == hilens.H264_FILE else _SHOWN[kind])
        try:
            display = hilens.Display(kind) if kind == hilens.HDMI else hilens.Display(kind, target)
        except hilens.CreateError as error:
            raise DisplayError(
                "the device does not open it: {}".format(error),
                where=shown,
                hint="it takes one display at a time" if kind == hilens.HDMI else "",
            ) from error
        return cls(shown, display, kind == hilens.H264_FILE)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`; the device reads every frame as BT.601 limited."""
        code = self._display.show(frame.recolor(DEFAULT_COLOR).pack())
        if code != 0:
            raise DisplayError(
                "the device refuses frame {} ({}x{}), code {}".format(
                    self._count, frame.width, frame.height, code
                ),
                where=self.target,
            )
        self._count += 1

    def close(self, complete: bool) -> None:
        """See `Sink.close`; the vendor's object has no close, it lets go when it is forgotten."""
        self._display = None
        self.notices.append("{} frames to {}".format(self._count, self.target))


def _kind(target: str) -> int:
    """The vendor's constant for a target."""
    if target in ("", "hdmi"):
        return int(hilens.HDMI)
    return int(hilens.RTMP if target.startswith("rtmp://") else hilens.H264_FILE)
