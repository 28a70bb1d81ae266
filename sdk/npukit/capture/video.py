"""Video files through PyAV (FFmpeg)."""

from __future__ import annotations

import os
from typing import Any, Iterator, Optional

import av
import av.error

from npukit.capture._decoded import Converter
from npukit.capture.base import Captured, Source
from npukit.errors import CaptureError

_LOST_S = 1.0  # a file that ends this much before its announced end was cut off


class VideoSource(Source):
    """`video:FILE`, or the path of a video file."""

    def __init__(self, path: str, container: Any, stream: Any) -> None:
        super().__init__(path, float(stream.average_rate or 30.0), stream.frames or None)
        self._container = container
        self._stream = stream
        self._converter = Converter(self)
        # One thread a stage: the next stage runs beside the decoder anyway.
        stream.thread_count = 1
        if container.streams.audio:
            self.notice("the audio track is dropped")
        ratio = stream.sample_aspect_ratio
        if ratio and ratio != 1:
            self.notice("pixels are {}, not square: shown as if they were".format(ratio))

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Any existing file that is no folder."""
        return os.path.isfile(uri)

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`."""
        if not os.path.isfile(uri):
            raise CaptureError("no such file", where=uri)
        try:
            # An absolute path, so that a colon in the name is not taken for a protocol.
            container = av.open(os.path.abspath(uri))
        except (av.error.FFmpegError, OSError) as error:
            raise CaptureError(
                "not a video that FFmpeg reads: {}".format(_reason(error)), where=uri
            ) from error
        if container.format.name == "tty":
            container.close()
            raise CaptureError("a text file, which FFmpeg would draw as ANSI art", where=uri)
        if not container.streams.video:
            container.close()
            raise CaptureError("the file holds no video", where=uri)
        stream = container.streams.video[0]
        if stream.codec_context is None:
            container.close()
            raise CaptureError("no decoder for the video's codec", where=uri)
        return cls(uri, container, stream)

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`."""
        index, size = 0, None
        first = last = gap = held = 0.0  # seconds
        try:
            for decoded in self._decoded():
                if decoded.is_corrupt:
                    raise CaptureError("the picture is damaged", where=self._at(index))
                frame = self._converter.nv21(decoded)
                size = size or frame.size
                if frame.size != size:
                    raise CaptureError(
                        "the picture changes from {} to {}".format(size, frame.size),
                        where=self._at(index),
                        hint="re-encode the video to one size",
                    )
                now = self._time_s(decoded, index)
                if index == 0:
                    first = last = now
                gap, last, held = max(gap, now - last), now, self._seconds(decoded.duration)
                yield Captured(frame, index, now - first)
                index += 1
        except av.error.FFmpegError as error:
            raise CaptureError(
                "the video is damaged: {}".format(_reason(error)), where=self._at(index)
            ) from error
        if index == 0:
            raise CaptureError("the video holds no frames that can be decoded", where=self.uri)
        self._check_end(index, max(last, last - first) + held, gap)

    def close(self) -> None:
        """See `Source.close`."""
        self._container.close()

    def _decoded(self) -> Iterator[Any]:
        try:
            yield from self._container.decode(self._stream)
        except av.error.FFmpegError:
            # What the decoder still holds back lies before the damage.
            yield from self._stream.decode(None)
            raise

    def _time_s(self, decoded: Any, index: int) -> float:
        return index / self.fps if decoded.pts is None else self._seconds(decoded.pts)

    def _seconds(self, ticks: Optional[int]) -> float:
        return float((ticks or 0) * self._stream.time_base)

    def _check_end(self, index: int, end_s: float, gap: float) -> None:
        """Some containers just end where they were cut off; their header knows the length."""
        alone = len(self._container.streams) == 1  # else the length may be another track's
        length_s = (self._container.duration or 0) / av.time_base if alone else 0.0
        if index > 1 and length_s - end_s > max(_LOST_S, 2 * gap):
            raise CaptureError(
                "the file is cut short: it ends after {:.1f} of {:.1f} s".format(end_s, length_s),
                where=self._at(index),
            )

    def _at(self, index: int) -> str:
        return "{}, frame {}".format(self.uri, index)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
