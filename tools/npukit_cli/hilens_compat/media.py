"""Colour conversion and the hardware Preprocessor."""

from __future__ import annotations

import operator
from typing import Callable

import cv2
import numpy as np

from npukit.arrays import U8
from npukit.color import DEFAULT_COLOR
from npukit.errors import FrameError
from npukit.frame import Nv21Frame, Rect
from npukit_cli.hilens_compat.log import explain

BGR2YUV_NV12, RGB2YUV_NV12, BGR2YUV_NV21, RGB2YUV_NV21 = range(4)

_SMALLEST, _WIDEST, _HIGHEST = 64, 1920, 1080


def cvt_color(src: U8, code: int) -> U8:
    """RGB or BGR to NV12 or NV21, as the device does: OpenCV's I420, then interleaved.

    Args:
        src: (H, W, 3) uint8, H and W even.
        code: BGR2YUV_NV12, RGB2YUV_NV12, BGR2YUV_NV21 or RGB2YUV_NV21.

    Returns:
        (H*3//2, W) uint8, BT.601 limited range.

    Raises:
        ValueError: another shape, dtype or code (the device leaves the result undefined).
    """
    if code not in (BGR2YUV_NV12, RGB2YUV_NV12, BGR2YUV_NV21, RGB2YUV_NV21):
        raise ValueError("unknown colour code {!r}".format(code))
    if src.ndim != 3 or src.shape[2] != 3 or src.dtype != np.uint8:
        raise ValueError("src must be (H, W, 3) uint8, not {} {}".format(src.shape, src.dtype))
    if src.shape[0] % 2 or src.shape[1] % 2 or not src.size:
        raise ValueError("src is {}: height and width must be even".format(src.shape[:2]))
    from_bgr = code in (BGR2YUV_NV12, BGR2YUV_NV21)
    i420 = cv2.cvtColor(src, cv2.COLOR_BGR2YUV_I420 if from_bgr else cv2.COLOR_RGB2YUV_I420)
    frame = Nv21Frame.from_i420(i420, DEFAULT_COLOR)
    return frame.pack() if code in (BGR2YUV_NV21, RGB2YUV_NV21) else frame.to_nv12()


class Preprocessor:
    """Resize and crop in hardware: NV21 in; NV21 (t=0) or NV12 (t=1) out.

    Sizes are even, from 64x64 to 1920x1080. Every argument is required, as on the device.
    """

    def resize(self, src: U8, w: int, h: int, t: int) -> U8:
        """Scale to (w, h).

        Args:
            src: NV21 (H*3//2, W) uint8.
            w, h: size of the result.
            t: 0 for NV21, 1 for NV12.

        Returns:
            (h*3//2, w) uint8.

        Raises:
            ValueError: "failed to resize"; the reason is logged.
        """
        return _process("resize", src, w, h, t, lambda frame: frame.resize(w, h))

    def crop(self, src: U8, x: int, y: int, w: int, h: int, t: int) -> U8:
        """Cut (w, h) at (x, y), even numbers; as `resize`.

        A rectangle that leaves the picture fails here; the device does not check that.

        Raises:
            ValueError: "failed to crop"; the reason is logged.
        """
        rect = Rect(operator.index(x), operator.index(y), w, h)
        return _process("crop", src, w, h, t, lambda frame: frame.crop(rect))


def _process(
    what: str, src: U8, w: int, h: int, t: int, work: Callable[[Nv21Frame], Nv21Frame]
) -> U8:
    try:
        _check_size("target", operator.index(w), operator.index(h))
        frame = Nv21Frame.from_packed(src, DEFAULT_COLOR)
        _check_size("source", *frame.size)
        if t not in (0, 1):
            raise FrameError("t is 0 (NV21) or 1 (NV12), not {!r}".format(t))
        result = work(frame)
    except FrameError as error:
        explain("Preprocessor.{}: {}".format(what, error))
        raise ValueError("failed to {}".format(what)) from error
    return result.to_nv12() if t else result.pack()


def _check_size(what: str, width: int, height: int) -> None:
    if not (_SMALLEST <= width <= _WIDEST and _SMALLEST <= height <= _HIGHEST):
        raise FrameError(
            "{} {}x{} is not within {}x{} to {}x{}".format(
                what, width, height, _SMALLEST, _SMALLEST, _WIDEST, _HIGHEST
            )
        )
