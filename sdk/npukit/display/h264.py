"""A raw H.264 stream in a file, as the HiLens Kit's H264_FILE display writes it."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Dict, Optional, Tuple

from npukit.display._encoder import Encoder, has_h264
from npukit.display._file import VideoFileSink
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

_USUAL_RATE = Fraction(30)
_RATES = (Fraction(1), Fraction(240))
_LARGEST_DENOMINATOR = 1001  # as in 30000/1001


class H264Sink(VideoFileSink):
    """`h264:FILE.h264`, or a path that ends in .h264 or .264: Annex B, no container.

    Such a stream has one frame rate and no times: the rate is that of the first two frames, and
    pauses are not in it.
    """

    suffixes = (".h264", ".264")
    format = "h264"
    # A killed run loses no frame that was encoded.
    options: ClassVar[Dict[str, str]] = {"flush_packets": "1"}

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._held: Optional[Tuple[Nv21Frame, float]] = None
        self._rate = _USUAL_RATE

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if not has_h264():
            raise DisplayError(
                "this PyAV has no H.264 encoder (libx264)",
                where=target,
                hint="install its wheel from PyPI, or write a .mp4",
            )
        return super().open(target)

    def _put(self, frame: Nv21Frame, time_s: float) -> None:
        if self._encoder is None and self._held is None:
            self._held = (frame, time_s)
            return
        if self._held is not None:
            (first, first_s), self._held = self._held, None
            self._rate = frame_rate(time_s - first_s)
            super()._put(first, first_s)
        super()._put(frame, time_s)

    def _finish(self) -> None:
        try:
            if self._held is not None:
                (first, first_s), self._held = self._held, None
                super()._put(first, first_s)
        finally:
            super()._finish()

    def _make_encoder(self, frame: Nv21Frame) -> Encoder:
        return Encoder(self._container, frame, clock=self._rate)


def frame_rate(interval_s: float) -> Fraction:
    """Frames a second of two frames that lie so far apart; 30 where that makes no sense."""
    if interval_s <= 0:
        return _USUAL_RATE
    rate = Fraction(1 / interval_s).limit_denominator(_LARGEST_DENOMINATOR)
    return rate if _RATES[0] <= rate <= _RATES[1] else _USUAL_RATE
