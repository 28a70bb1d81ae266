"""The host's part: geometry, on the planes of the frame, and the model input's colour."""

from __future__ import annotations

from typing import Optional, Tuple

from npukit.errors import FrameError
from npukit.frame import Nv21Frame, Rect, center_rect
from npukit.preprocess.spec import Preprocess


def source_rect(
    spec: Preprocess, frame_size: Tuple[int, int], size: Tuple[int, int], roi: Optional[Rect] = None
) -> Rect:
    """The part of the frame that the model sees; where its output belongs.

    Args:
        spec: the declaration.
        frame_size: (width, height) of the frame.
        size: (width, height) of the model input.
        roi: the rectangle, for geometry `roi` only.
    """
    if (spec.geometry == "roi") != (roi is not None):
        raise FrameError(
            "geometry {} {} rectangle".format(
                spec.geometry, "needs a" if roi is None else "takes no"
            )
        )
    if roi is not None:
        return roi
    if spec.geometry == "center":
        return center_rect(frame_size, size)
    return Rect(0, 0, *frame_size)


def fit(
    spec: Preprocess, frame: Nv21Frame, size: Tuple[int, int], roi: Optional[Rect] = None
) -> Nv21Frame:
    """The frame as the model input takes it: cut, scaled, in the declared matrix and range.

    Its packed bytes are what a board's model is given.

    Args:
        spec: the declaration.
        frame: of any even size.
        size: (width, height) of the model input.
        roi: the rectangle, for geometry `roi` only.

    Raises:
        FrameError: a rectangle outside the frame or with odd numbers.
    """
    part = frame.crop(source_rect(spec, frame.size, size, roi))
    if spec.geometry == "letterbox":
        return part.letterbox(size[0], size[1], spec.resize).recolor(spec.color)
    return part.resize(size[0], size[1], spec.resize).recolor(spec.color)
