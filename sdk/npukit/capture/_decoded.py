"""Decoded pictures of PyAV as NV21: luma as a view of the decoder's memory."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from npukit.arrays import U8
from npukit.buffers import BufferPool
from npukit.capture.base import Source, even_part
from npukit.color import Color, Matrix, Range
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

# FFmpeg's numbers: AVCOL_RANGE_* and AVCOL_SPC_*.
_LIMITED, _FULL = 1, 2
_BT709, _UNTAGGED, _BT601 = 1, 2, (4, 5, 6)
_PLANAR_420 = ("yuv420p", "yuvj420p")
_HD_HEIGHT = 720


class Converter:
    """Turns a decoder's pictures into frames; what it has to guess, it tells through `source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pool = BufferPool()

    def nv21(self, decoded: Any) -> Nv21Frame:
        """A frame of an `av.VideoFrame`, upright; `y` is a read-only view where it can be.

        Raises:
            CaptureError: the picture is smaller than 2x2.
        """
        color = self._color(decoded)
        if decoded.format.name not in _PLANAR_420:
            decoded = self._to_420(decoded, color)
        rect = even_part(decoded.width, decoded.height, self._source)
        if not rect.width or not rect.height:
            raise CaptureError("the picture is smaller than 2x2", where=self._source.uri)
        half = rect.half
        y, u, v = (_view(plane) for plane in decoded.planes)
        vu = self._pool.take(half.height, half.width, 2)
        cv2.merge([v[: half.height, : half.width], u[: half.height, : half.width]], dst=vu)
        frame = Nv21Frame(y[: rect.height, : rect.width], vu, color)
        return self._upright(frame, int(decoded.rotation) % 360)

    def _upright(self, frame: Nv21Frame, rotation: int) -> Nv21Frame:
        """Turned by the tag, which counts degrees counter-clockwise."""
        if rotation % 90:
            self._source.notice(
                "the rotation tag ({} degrees) is no quarter turn: ignored".format(rotation)
            )
            return frame
        if rotation:
            self._source.notice("turned by the rotation tag ({} degrees)".format(rotation))
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
                self._source.notice(
                    "{}: read as {} ({} from {} lines on), {} range".format(
                        "no colour tag" if space == _UNTAGGED else "another colour tag",
                        matrix.value, Matrix.BT709.value, _HD_HEIGHT, range_.value,
                    )
                )  # fmt: skip
        return Color(matrix, Range.LIMITED if decoded.format.is_rgb else range_)

    def _to_420(self, decoded: Any, color: Color) -> Any:
        self._source.notice("{} is converted to 8-bit 4:2:0".format(decoded.format.name))
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
