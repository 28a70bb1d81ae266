"""An .mp4 file through PyAV: H.264, fed with NV21 as it is."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import Any, Optional

import av
import av.error
import numpy as np

from npukit.color import Matrix, Range
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

# Ticks a second: frames keep their time, whatever their rate. MPEG-4 takes 65535 at most.
_CLOCK = 60000
_TICK = Fraction(1, _CLOCK)
_RANGES = {Range.LIMITED: 1, Range.FULL: 2}  # AVCOL_RANGE_*
_SPACES = {Matrix.BT709: 1, Matrix.BT601: 6}  # AVCOL_SPC_*
_SUFFIXES = (".mp4", ".mov", ".m4v")
_FILE = {
    # Fragments while it is written, an ordinary file in the end; the colour also in its header.
    "movflags": "hybrid_fragmented+write_colr",
    "frag_duration": "1000000",  # microseconds: a killed run loses the last second or two
    "flush_packets": "1",
}
# No B-frames: they shift the times by what they are reordered, and leave holes in a part.
_H264 = {"preset": "veryfast", "crf": "20", "bf": "0"}
_MPEG4 = {"flags": "+qscale", "global_quality": str(3 * 118)}  # 118 = FF_QP2LAMBDA


class VideoSink(Sink):
    """`video:FILE.mp4`, or a path that ends in .mp4, .mov or .m4v.

    Written as FILE.part.mp4 in fragments, so that a killed run leaves a playable part;
    renamed to FILE.mp4 once complete.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        stem, suffix = os.path.splitext(path)
        self._part = stem + ".part" + suffix
        self._container: Any = None
        self._stream: Any = None
        self._first: Optional[Nv21Frame] = None
        self._count = 0
        self._last_tick = -1
        self._interval = 1

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Paths with a video's suffix."""
        return target.lower().endswith(_SUFFIXES)

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if not cls.accepts(target):
            raise DisplayError(
                "the file must end in {}".format(", ".join(_SUFFIXES)), where=target or "video:"
            )
        folder = os.path.dirname(os.path.abspath(target))
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise DisplayError("cannot make the folder: {}".format(error), where=target) from error
        if not os.access(folder, os.W_OK):
            raise DisplayError("the folder is not writable", where=folder)
        if os.path.isdir(target):
            raise DisplayError("a folder has this name", where=target)
        return cls(target)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""
        try:
            if self._first is None:
                self._begin(frame)
            self._check(frame)
            self._encode(self._picture(frame, time_s))
        except (av.error.FFmpegError, OSError) as error:
            raise DisplayError(
                "cannot write frame {}: {}".format(self._count, error), where=self._part
            ) from error
        self._count += 1

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
        try:
            self._finish()
            if complete and self._count:
                os.replace(self._part, self.target)
        except (av.error.FFmpegError, OSError) as error:
            if self._count:
                self.notices.append("what could be written is in {}".format(self._part))
            raise DisplayError(
                "cannot finish the file: {}".format(error), where=self._part
            ) from error
        if not self._count:
            self.notices.append("no frames, nothing written to {}".format(self.target))
        elif complete:
            self.notices.append("{} frames in {}".format(self._count, self.target))
        else:
            self.notices.append(
                "cut short: the first {} frames are in {}".format(self._count, self._part)
            )

    def _begin(self, frame: Nv21Frame) -> None:
        nv21 = "libx264" in av.codecs_available
        if not nv21:
            self.notices.append("no H.264 encoder in PyAV: MPEG-4 Part 2 is written instead")
        # The final file is not touched before the new one is complete. An absolute path, so
        # that a colon in the name is not taken for a protocol.
        self._container = av.open(os.path.abspath(self._part), "w", format="mp4", options=_FILE)
        stream = self._container.add_stream(
            "libx264" if nv21 else "mpeg4", options=_H264 if nv21 else _MPEG4
        )
        stream.width, stream.height = frame.size
        stream.pix_fmt = "nv21" if nv21 else "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TICK
        stream.codec_context.color_range = _RANGES[frame.color.range]
        stream.codec_context.colorspace = _SPACES[frame.color.matrix]
        self._stream = stream
        self._first = frame
        self._container.start_encoding()  # a file that cannot be written is told at once

    def _finish(self) -> None:
        if self._container is None:
            return
        try:
            if self._count:
                self._encode(None)
        finally:
            container, self._container = self._container, None
            container.close()

    def _encode(self, picture: Any) -> None:
        for packet in self._stream.encode(picture):
            # The last frame has no successor: it lasts as long as the one before.
            packet.duration = packet.duration or self._interval
            self._container.mux(packet)

    def _check(self, frame: Nv21Frame) -> None:
        first = self._first
        if first is not None and (frame.size, frame.color) != (first.size, first.color):
            raise DisplayError(
                "a video has one size and colour: frame {} is {}, the first was {}".format(
                    self._count, frame, first
                ),
                where=self.target,
                hint="write pictures instead (images:FOLDER), or run the sources one by one",
            )

    def _picture(self, frame: Nv21Frame, time_s: float) -> Any:
        picture = av.VideoFrame(frame.width, frame.height, "nv21")
        for plane, source in zip(
            picture.planes, (frame.y, frame.vu.reshape(frame.height // 2, -1))
        ):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            rows[: source.shape[0], : source.shape[1]] = source
        picture.color_range = _RANGES[frame.color.range]
        picture.colorspace = _SPACES[frame.color.matrix]
        if self._stream.pix_fmt != "nv21":
            picture = picture.reformat(format=self._stream.pix_fmt)
        tick = max(round(time_s * _CLOCK), self._last_tick + 1)
        if self._count:
            self._interval = tick - self._last_tick
        picture.pts = self._last_tick = tick
        picture.time_base = _TICK
        return picture
