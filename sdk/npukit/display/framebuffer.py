"""A Linux framebuffer device: a screen without a desktop.

Layouts and request numbers: Linux, include/uapi/linux/fb.h.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np

from npukit.arrays import U8
from npukit.canvas import centred
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame, Rect, letterbox_rect

_GET_VARIABLE, _GET_FIXED = 0x4600, 0x4602  # FBIOGET_VSCREENINFO, FBIOGET_FSCREENINFO
# fb_var_screeninfo: sizes and offsets, bits, grayscale; then offset, length and msb_right of red,
# green, blue and transparency. What follows is not used here.
_VARIABLE = struct.Struct("=8I12I")
_VARIABLE_BYTES = 160
# fb_fix_screeninfo, in the machine's own alignment, which pointers decide.
_FIXED = struct.Struct("@16sLIIIIHHHILIIHHH0L")
_PACKED_PIXELS, _TRUE_COLOR = 0, 2  # FB_TYPE_PACKED_PIXELS, FB_VISUAL_TRUECOLOR

# (bits, red, green, blue), each colour as (offset, length): name, how OpenCV makes it from BGR.
_FORMATS = {
    (32, (16, 8), (8, 8), (0, 8)): ("XRGB8888", cv2.COLOR_BGR2BGRA),
    (32, (0, 8), (8, 8), (16, 8)): ("XBGR8888", cv2.COLOR_BGR2RGBA),
    (16, (11, 5), (5, 6), (0, 5)): ("RGB565", cv2.COLOR_BGR2BGR565),
    (16, (0, 5), (5, 6), (11, 5)): ("BGR565", cv2.COLOR_RGB2BGR565),
}


class Screen(NamedTuple):
    """What is seen of a framebuffer.

    Attributes:
        width, height: in pixels.
        stride: bytes from one line to the next.
        start: byte of the first visible pixel.
        length: bytes of the whole memory.
        pixel: bytes of a pixel.
        conversion: OpenCV's code from BGR to the pixel format.
    """

    width: int
    height: int
    stride: int
    start: int
    length: int
    pixel: int
    conversion: int


class FramebufferSink(Sink):
    """`framebuffer:/dev/fb0`: centred on black; scaled down where it is larger than the screen.

    Pixels of 32 bits (8 a colour) or 16 (5, 6, 5), red or blue first. Where the screen is slow the
    oldest waiting frame is dropped.
    """

    lossless = False

    def __init__(self, path: str, screen: Screen, memory: mmap.mmap) -> None:
        super().__init__("framebuffer:" + path)
        self._screen = screen
        self._memory: Optional[mmap.mmap] = memory
        self._size: Optional[Tuple[int, int]] = None
        self._rect = Rect(0, 0, 0, 0)
        self._count = 0

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Framebuffer devices."""
        return target.startswith("/dev/fb")

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if not target:
            raise DisplayError("no device given", where="framebuffer:", hint="framebuffer:/dev/fb0")
        try:
            device = os.open(target, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise DisplayError(
                "cannot be opened: {}".format(error.strerror),
                where=target,
                hint="the user must be in the group of the device, often `video`"
                if isinstance(error, PermissionError)
                else "ls /dev/fb* lists them",
            ) from error
        try:
            screen = read_screen(
                fcntl.ioctl(device, _GET_VARIABLE, bytes(_VARIABLE_BYTES)),
                fcntl.ioctl(device, _GET_FIXED, bytes(_FIXED.size)),
                target,
            )
            memory = mmap.mmap(device, screen.length)
        except (OSError, ValueError) as error:
            raise DisplayError("no framebuffer: {}".format(error), where=target) from error
        finally:
            os.close(device)
        return cls(target, screen, memory)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""
        if self._memory is None:
            raise DisplayError("the screen is closed", where=self.target)
        screen = self._screen
        if frame.size != self._size:
            self._size = frame.size
            self._rect = _place(frame.size, (screen.width, screen.height))
            self._fill_black()
        rect = self._rect
        bgr = frame.resize(rect.width, rect.height, "area").to_bgr()
        pixels = cv2.cvtColor(bgr, screen.conversion).reshape(rect.height, -1)
        left = rect.x * screen.pixel
        self._lines()[rect.y : rect.y + rect.height, left : left + pixels.shape[1]] = pixels
        self._count += 1

    def close(self, complete: bool) -> None:
        """See `Sink.close`; the screen is left black."""
        if self._memory is None:
            return
        self._fill_black()
        memory, self._memory = self._memory, None
        memory.close()
        self.notices.append("{} frames to {}".format(self._count, self.target))

    def _fill_black(self) -> None:
        lines = self._lines()
        lines[:] = 0
        if self._screen.pixel == 4:
            lines[:, 3::4] = 255  # opaque, where the device reads it as alpha

    def _lines(self) -> U8:
        """(height, bytes of a line) view of what is seen."""
        screen = self._screen
        return np.ndarray(
            (screen.height, screen.width * screen.pixel),
            np.uint8,
            self._memory,
            screen.start,
            (screen.stride, 1),
        )


def read_screen(variable: bytes, fixed: bytes, where: str) -> Screen:
    """The screen from a device's fb_var_screeninfo and fb_fix_screeninfo.

    Raises:
        DisplayError: a pixel format that is not written here, or figures that do not agree.
    """
    width, height, _, _, x, y, bits, _, *fields = _VARIABLE.unpack_from(variable)
    colours = tuple((fields[place], fields[place + 1]) for place in (0, 3, 6))
    _, _, length, kind, _, visual, _, _, _, stride = _FIXED.unpack(fixed)[:10]
    known = _FORMATS.get((bits, *colours))
    if known is None or (kind, visual) != (_PACKED_PIXELS, _TRUE_COLOR):
        raise DisplayError(
            "its pixels are {} bits, red, green and blue (offset, length) {}, type {}, "
            "visual {}".format(bits, colours, kind, visual),
            where=where,
            hint="written here: " + ", ".join(name for name, _ in _FORMATS.values()),
        )
    pixel = bits // 8
    start = y * stride + x * pixel
    end = start + (height - 1) * stride + width * pixel
    if width < 2 or height < 2 or stride < (x + width) * pixel or end > length:
        raise DisplayError(
            "{}x{} at {},{} with {} bytes a line is not within its {} bytes".format(
                width, height, x, y, stride, length
            ),
            where=where,
        )
    return Screen(width, height, stride, start, length, pixel, known[1])


def _place(picture: Tuple[int, int], screen: Tuple[int, int]) -> Rect:
    even = (screen[0] // 2 * 2, screen[1] // 2 * 2)
    if picture[0] <= even[0] and picture[1] <= even[1]:
        return centred(picture, even)
    return letterbox_rect(picture, even)
