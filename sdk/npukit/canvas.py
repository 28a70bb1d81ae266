"""A picture put unscaled on a larger black one, as a screen does with what is too small for it."""

from __future__ import annotations

from typing import Tuple

from npukit.color import luma_floor
from npukit.errors import FrameError
from npukit.frame import Nv21Frame, Rect


def centred(picture: Tuple[int, int], canvas: Tuple[int, int], align: int = 2) -> Rect:
    """Where a (width, height) picture lies on a canvas; all even.

    Args:
        picture, canvas: (width, height) in pixels, even.
        align: the picture's width is first padded to a multiple of this, itself even; the padded
            one is centred.

    Raises:
        FrameError: the padded picture is larger than the canvas.
    """
    width, height = picture
    padded = -(-width // align) * align
    if padded > canvas[0] or height > canvas[1]:
        raise FrameError(
            "a {}x{} picture does not fit on {}x{}".format(padded, height, *canvas),
            hint="resize it first",
        )
    left = (canvas[0] - padded) // 4 * 2 + (padded - width) // 4 * 2
    return Rect(left, (canvas[1] - height) // 4 * 2, width, height)


def on_black(frame: Nv21Frame, width: int, height: int, align: int = 2) -> Nv21Frame:
    """A (width, height) frame with `frame` in its middle, in the same colour; see `centred`.

    Raises:
        FrameError: an odd size, or a frame that is larger.
    """
    rect = centred(frame.size, (width, height), align)
    black = (luma_floor(frame.color.range), 128, 128)
    canvas = Nv21Frame.filled(width, height, frame.color, black)
    canvas.crop(rect).paste(frame)
    return canvas
