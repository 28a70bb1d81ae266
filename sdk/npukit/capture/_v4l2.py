"""Video4Linux devices: which there are, how they are opened, what their bytes mean.

Through OpenCV rather than PyAV: it is what every board has, and its Video4Linux backend hands
out the device's own bytes, so that NV12 and YUYV become NV21 without RGB in between.
`open_device` is the only place that touches a device; what it returns has `isOpened`, `get`,
`set`, `read` and `release` as `cv2.VideoCapture` has them.
"""

from __future__ import annotations

import glob
import os
import re
from typing import Any, NamedTuple, Optional, Tuple

import cv2
import numpy as np

from npukit.arrays import U8
from npukit.capture._reader import LostError
from npukit.capture.base import Source, even_part
from npukit.color import Color, Matrix, Range
from npukit.frame import Nv21Frame

DEV = "/dev"
NAMES = "/sys/class/video4linux"

# In the order of what they cost to turn into NV21. A camera on USB 2 often gives its full rate
# as MJPG only: then that is taken.
FORMATS = ("NV12", "YUYV", "MJPG")
# Linux, "Colorspaces" of Video4Linux: YUV of an sRGB camera is BT.601 limited unless the driver
# says otherwise, which OpenCV does not pass on. JPEG: JFIF 1.02.
_RAW = Color(Matrix.BT601, Range.LIMITED)
_JPEG = Color(Matrix.BT601, Range.FULL)


_NEARLY = 0.95  # of the wanted rate: 29.97 is 30


class Mode(NamedTuple):
    """What a device gives, or is asked for."""

    width: int
    height: int
    fps: float
    format: str = ""

    def __str__(self) -> str:
        return "{}x{} at {:g} frames/s".format(self.width, self.height, self.fps)


def open_device(number: int) -> Any:
    """The device /dev/videoNUMBER; whether that worked, `isOpened` says."""
    try:
        return cv2.VideoCapture(number, cv2.CAP_V4L2)
    except TypeError:  # OpenCV 3.4.2, the HiLens Kit's
        return cv2.VideoCapture(number + cv2.CAP_V4L2)


def device_number(name: str) -> int:
    """The number of `0`, `/dev/video0` or a link to it, such as /dev/v4l/by-id/...

    Raises:
        LostError: no such device, no Video4Linux device, or no permission.
    """
    path = os.path.join(DEV, "video" + name) if name.isdigit() else name
    if "\0" in path or not os.path.exists(path):
        raise LostError("no such device: {}".format(path), _present())
    found = re.search(r"/video(\d+)$", os.path.realpath(path))
    if found is None:
        raise LostError("{} is no Video4Linux device".format(path), _present())
    if not os.access(path, os.R_OK | os.W_OK):
        raise LostError(
            "permission denied: {}".format(path),
            "add yourself to the group that owns it (usually video), and log in anew",
        )
    return int(found.group(1))


def _present() -> str:
    paths = sorted(glob.glob(os.path.join(DEV, "video[0-9]*")))
    return "devices here: {}".format(", ".join(map(_named, paths)) or "none")


def _named(path: str) -> str:
    try:
        with open(os.path.join(NAMES, os.path.basename(path), "name"), encoding="utf-8") as file:
            return "{} ({})".format(path, file.read().strip())
    except (OSError, UnicodeError):
        return path


def negotiate(device: Any, wanted: Mode, source: Source) -> Mode:
    """Set the device up: the cheapest format that has the wanted size and rate, else the nearest.

    Args:
        device: as `open_device` returns it.
        wanted: its format is not looked at.
        source: is told what is not as wanted.
    """
    best: Optional[Tuple[Tuple[bool, bool], Mode]] = None
    for name in FORMATS:
        got = _ask(device, wanted, name)
        fits = got[:2] == wanted[:2], got.fps >= _NEARLY * wanted.fps
        if got.format == name and (best is None or fits > best[0]):
            best = fits, got
        if best is not None and all(best[0]):
            return best[1]
    if best is not None:
        mode = _ask(device, wanted, best[1].format)
    else:
        device.set(cv2.CAP_PROP_CONVERT_RGB, 1)
        mode = _mode(device)
        source.notice("{} is converted to BGR by OpenCV".format(mode.format))
    if mode[:2] != wanted[:2] or mode.fps < _NEARLY * wanted.fps:
        source.notice("the camera gives {}, not {}".format(mode, wanted))
    return mode


def _ask(device: Any, wanted: Mode, name: str) -> Mode:
    device.set(
        cv2.CAP_PROP_FOURCC, sum(ord(letter) << 8 * place for place, letter in enumerate(name))
    )
    device.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
    device.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
    device.set(cv2.CAP_PROP_FPS, wanted.fps)
    device.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    return _mode(device)


def _mode(device: Any) -> Mode:
    code = int(device.get(cv2.CAP_PROP_FOURCC))
    return Mode(
        int(device.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(device.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        float(device.get(cv2.CAP_PROP_FPS)) or 30.0,
        "".join(chr(code >> shift & 0x7F) for shift in (0, 8, 16, 24)),
    )


def to_nv21(data: U8, mode: Mode, source: Source) -> Optional[Nv21Frame]:
    """A frame of what the device gave; None when the bytes are damaged.

    Args:
        data: NV12, YUYV or MJPG bytes in any shape, or (H, W, 3) BGR from a backend that does
            not hand out the device's own bytes.
        mode: what the device was set to.
        source: is told what is lost on the way.
    """
    if data.ndim == 3 and data.shape[2] == 3:
        return _from_bgr(data, _RAW, source)
    if mode.format == "MJPG":
        picture = cv2.imdecode(data.reshape(-1), cv2.IMREAD_COLOR) if data.size else None
        return None if picture is None else _from_bgr(picture, _JPEG, source)
    pixels = mode.width * mode.height
    if mode.format == "NV12" and data.size >= pixels * 3 // 2:
        packed = data.reshape(-1)[: pixels * 3 // 2]
        return Nv21Frame.from_nv12(packed.reshape(mode.height * 3 // 2, mode.width), _RAW)
    if mode.format == "YUYV" and data.size >= 2 * pixels:
        packed = data.reshape(-1)[: 2 * pixels]
        return _from_yuyv(packed.reshape(mode.height, mode.width, 2), source)
    return None


def _from_yuyv(data: U8, source: Source) -> Nv21Frame:
    """(H, W, 2): luma, and U and V in turns; NV21 has the mean of the chroma of two rows."""
    rect = even_part(data.shape[1], data.shape[0], source)
    data = data[: rect.height]
    chroma = np.ascontiguousarray(data[:, :, 1]).reshape(rect.height, rect.width // 2, 2)
    half = cv2.resize(chroma, rect.half[2:], interpolation=cv2.INTER_AREA)
    u, v = cv2.split(half)
    return Nv21Frame(np.ascontiguousarray(data[:, :, 0]), cv2.merge([v, u]), _RAW)


def _from_bgr(picture: U8, color: Color, source: Source) -> Nv21Frame:
    rect = even_part(picture.shape[1], picture.shape[0], source)
    return Nv21Frame.from_bgr(picture[: rect.height, : rect.width], color)
