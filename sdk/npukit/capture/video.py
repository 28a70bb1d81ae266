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
            container = av.open(uri)
        except (av.error.FFmpegError, OSError) as error:
            raise CaptureError(
                "not a video that FFmpeg reads: {}".format(_reason(error)), where=uri
            ) from error
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
        index = 0
        first: Optional[float] = None
        size = None
        try:
            for decoded in self._container.decode(self._stream):
                frame = self._planes(decoded)
                size = size or frame.size
                if frame.size != size:
                    raise CaptureError(
                        "the picture changes from {} to {}".format(size, frame.size),
                        where="{}, frame {}".format(self.uri, index),
                        hint="re-encode the video to one size",
                    )
                time_s = decoded.time if decoded.time is not None else index / self.fps
                first = time_s if first is None else first
                yield Captured(frame, index, time_s - first)
                index += 1
        except av.error.FFmpegError as error:
            raise CaptureError(
                "the video is damaged: {}".format(_reason(error)),
                where="{}, frame {}".format(self.uri, index),
            ) from error
        if index == 0:
            raise CaptureError("the video holds no frames that can be decoded", where=self.uri)

    def close(self) -> None:
        """See `Source.close`."""
        self._container.close()

    def _planes(self, decoded: Any) -> Nv21Frame:
        color = self._color(decoded)
        if decoded.format.name not in _PLANAR_420:
            decoded = self._to_420(decoded, color)
        rect = even_part(decoded.width, decoded.height, self)
        half = rect.half
        y, u, v = (_view(plane) for plane in decoded.planes)
        vu = self._pool.take(half.height, half.width, 2)
        cv2.merge([v[: half.height, : half.width], u[: half.height, : half.width]], dst=vu)
        frame = Nv21Frame(y[: rect.height, : rect.width], vu, color)
        if decoded.rotation % 360:
            # The tag counts counter-clockwise.
            self.notice("turned by the rotation tag ({} degrees)".format(decoded.rotation % 360))
            return frame.rotate(-int(decoded.rotation))
        return frame

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
            if space == _UNTAGGED and not decoded.format.is_rgb:
                self.notice(
                    "no colour tag: read as {} ({} from {} lines on), {} range".format(
                        matrix.value, Matrix.BT709.value, _HD_HEIGHT, range_.value
                    )
                )
        return Color(matrix, Range.LIMITED if decoded.format.is_rgb else range_)

    def _to_420(self, decoded: Any, color: Color) -> Any:
        self.notice("{} is converted to 8-bit 4:2:0".format(decoded.format.name))
        return decoded.reformat(
            format="yuv420p",
            dst_colorspace=_BT709 if color.matrix is Matrix.BT709 else _BT601[1],
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
