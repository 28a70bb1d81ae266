"""Frames into a video stream through PyAV: H.264, fed with NV21 as it is."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Dict, Optional

import av
import numpy as np

from npukit.color import Matrix, Range
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

# Ticks a second: frames keep their time, whatever their rate. MPEG-4 takes 65535 at most.
CLOCK = Fraction(60000)
H264 = "libx264"
# No B-frames: they shift the times by what they are reordered, and leave holes in a part.
H264_OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0"}
_MPEG4_OPTIONS = {"flags": "+qscale", "global_quality": str(3 * 118)}  # 118 = FF_QP2LAMBDA
_RANGES = {Range.LIMITED: 1, Range.FULL: 2}  # AVCOL_RANGE_*
_SPACES = {Matrix.BT709: 1, Matrix.BT601: 6}  # AVCOL_SPC_*


class Encoder:
    """The video stream of an open container; frames of one size and colour.

    Attributes:
        count: frames taken.
    """

    def __init__(
        self,
        container: Any,
        first: Nv21Frame,
        options: Optional[Dict[str, str]] = None,
        clock: Fraction = CLOCK,
        rate: Optional[Fraction] = None,
        mpeg4: bool = False,
    ) -> None:
        """Add the stream; nothing is written yet.

        Args:
            container: of PyAV, open for writing.
            first: gives size and colour.
            options: of libx264, by FFmpeg's names.
            clock: ticks a second; a frame has the tick next to its time.
            rate: nominal frames a second, for what an option counts in seconds.
            mpeg4: write MPEG-4 Part 2 instead of H.264, at about the same quality.
        """
        codec, options = (
            ("mpeg4", _MPEG4_OPTIONS) if mpeg4 else (H264, dict(options or H264_OPTIONS))
        )
        stream = container.add_stream(codec, options=options)
        stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p" if mpeg4 else "nv21"
        self._tick = 1 / clock
        stream.time_base = stream.codec_context.time_base = self._tick
        if rate is not None:
            stream.codec_context.framerate = rate
        stream.codec_context.color_range = _RANGES[first.color.range]
        stream.codec_context.colorspace = _SPACES[first.color.matrix]
        self._container = container
        self._stream = stream
        self._first = first
        self._last_tick = -1
        self._interval = 1
        self.count = 0

    def put(self, frame: Nv21Frame, time_s: float) -> None:
        """Encode a frame and write what is ready.

        Raises:
            DisplayError: another size or colour than the first frame's.
            av.error.FFmpegError, OSError: it cannot be written.
        """
        first = self._first
        if (frame.size, frame.color) != (first.size, first.color):
            raise DisplayError(
                "a video has one size and colour: frame {} is {}, the first was {}".format(
                    self.count, frame, first
                ),
                hint="write pictures instead (images:FOLDER), or run the sources one by one",
            )
        self._write(self._picture(frame, time_s))
        self.count += 1

    def finish(self) -> None:
        """Write what the encoder still holds back; the container stays open."""
        self._write(None)

    def _write(self, picture: Any) -> None:
        for packet in self._stream.encode(picture):
            # The last frame has no successor: it lasts as long as the one before.
            packet.duration = packet.duration or self._interval
            self._container.mux(packet)

    def _picture(self, frame: Nv21Frame, time_s: float) -> Any:
        picture = av.VideoFrame(frame.width, frame.height, "nv21")
        planes = (frame.y, frame.vu.reshape(frame.height // 2, -1))
        for plane, source in zip(picture.planes, planes):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows[: source.shape[0], : source.shape[1]] = source
        picture.color_range = _RANGES[frame.color.range]
        picture.colorspace = _SPACES[frame.color.matrix]
        if self._stream.pix_fmt != "nv21":
            picture = picture.reformat(format=self._stream.pix_fmt)
        tick = max(round(time_s / self._tick), self._last_tick + 1)
        if self.count:
            self._interval = tick - self._last_tick
        picture.pts = self._last_tick = tick
        picture.time_base = self._tick
        return picture


def has_h264() -> bool:
    """Whether this PyAV can encode H.264."""
    return H264 in av.codecs_available
