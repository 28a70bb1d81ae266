"""Video files through PyAV (FFmpeg): luma as a view of the decoder's memory."""

from __future__ import annotations

import os
from typing import Any, Iterator, Optional

import av
import av.error
import cv2
import numpy as np

from npukit.arrays import U8
from npukit.buffers import BufferPool
from npukit.capture.base import Captured, Source, even_part
from npukit.color import Color, Matrix, Range
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

# FFmpeg's numbers: AVCOL_RANGE_* and AVCOL_SPC_*.
_LIMITED, _FULL = 1, 2
_BT709, _UNTAGGED, _BT601 = 1, 2, (4, 5, 6)
_PLANAR_420 = ("yuv420p", "yuvj420p")
_HD_HEIGHT = 720
_LOST_S = 1.0  # a file that ends this much before its announced end was cut off


class VideoSource(Source):
    """`video:FILE`, or the path of a video file."""

    def __init__(self, path: str, container: Any, stream: Any) -> None:
        super().__init__(path, float(stream.average_rate or 30.0), stream.frames or None)
        self._container = container
        self._stream = stream
        self._pool = BufferPool()
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
                frame = self._planes(decoded)
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

    def _planes(self, decoded: Any) -> Nv21Frame:
        color = self._color(decoded)
        if decoded.format.name not in _PLANAR_420:
            decoded = self._to_420(decoded, color)
        rect = even_part(decoded.width, decoded.height, self)
        if not rect.width or not rect.height:
            raise CaptureError("the picture is smaller than 2x2", where=self.uri)
        half = rect.half
        y, u, v = (_view(plane) for plane in decoded.planes)
        vu = self._pool.take(half.height, half.width, 2)
        cv2.merge([v[: half.height, : half.width], u[: half.height, : half.width]], dst=vu)
        frame = Nv21Frame(y[: rect.height, : rect.width], vu, color)
        return self._upright(frame, int(decoded.rotation) % 360)

    def _upright(self, frame: Nv21Frame, rotation: int) -> Nv21Frame:
        """Turned by the tag, which counts degrees counter-clockwise."""
        if rotation % 90:
            self.notice(
                "the rotation tag ({} degrees) is no quarter turn: ignored".format(rotation)
            )
            return frame
        if rotation:
            self.notice("turned by the rotation tag ({} degrees)".format(rotation))
        return frame.rotate(-rotation)

    def _color(self, decoded: Any) -> Color:
        """The stream's tags; where there are none, the rule of the notice."""
        if decoded.color_range == _FULL or decoded.format.name.startswith("yuvj"):
            range_ = Range.FULL
        else:
            range_ = Range.LIMITED
        space = int(decoded.colorspace)
        if space == _BT709:
            matrix = Matrix.BT709
        elif space in _BT601:
            matrix = Matrix.BT601
        else:
            matrix = Matrix.BT709 if decoded.height >= _HD_HEIGHT else Matrix.BT601
            if not decoded.format.is_rgb:
                self.notice(
                    "{}: read as {} ({} from {} lines on), {} range".format(
                        "no colour tag" if space == _UNTAGGED else "another colour tag",
                        matrix.value, Matrix.BT709.value, _HD_HEIGHT, range_.value,
                    )
                )  # fmt: skip
        return Color(matrix, Range.LIMITED if decoded.format.is_rgb else range_)

    def _to_420(self, decoded: Any, color: Color) -> Any:
        self.notice("{} is converted to 8-bit 4:2:0".format(decoded.format.name))
        space = _BT709 if color.matrix is Matrix.BT709 else _BT601[1]
        return decoded.reformat(
            format="yuv420p",
            # swscale has a rule of its own for what is not tagged.
            src_colorspace=space if int(decoded.colorspace) == _UNTAGGED else None,
            dst_colorspace=space,
            dst_color_range=_FULL if color.range is Range.FULL else _LIMITED,
        )


def _view(plane: Any) -> U8:
    """(h, w) view of a decoder's plane; read-only, because later frames are predicted from it."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    view = rows[: plane.height, : plane.width]
    view.flags.writeable = False
    return view


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
