"""A STAND-IN for a USB camera, its driver and OpenCV's view of them.

It takes the place of `open_device` in `npukit/capture/_v4l2.py`, the only function there that
touches a device. That real ones behave as it does is what only a camera can show.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

from npukit.capture import _v4l2, open_source
from npukit.color import Color, Matrix, Range
from npukit.frame import Nv21Frame

LIMITED = Color(Matrix.BT601, Range.LIMITED)


def _code(name: str) -> int:
    return int(cv2.VideoWriter.fourcc(*name))


def pattern(width: int, height: int, count: int) -> list[Nv21Frame]:
    uri = f"pattern:{width}x{height},frames={count}"
    return [item.frame.recolor(LIMITED) for item in open_source(uri).frames()]


def _yuyv(frame: Nv21Frame) -> np.ndarray:
    data = np.empty((frame.height, frame.width, 2), np.uint8)
    data[:, :, 0] = frame.y
    data[:, 0::2, 1], data[:, 1::2, 1] = (frame.vu.repeat(2, axis=0)[:, :, k] for k in (1, 0))
    return data


class Plug:
    """STAND-IN for a USB camera and its driver, as OpenCV's Video4Linux backend shows them."""

    def __init__(self, modes: dict[str, list[tuple[int, int, int]]]) -> None:
        self.modes = modes
        self.busy = False
        self.stuck = threading.Event()  # reads hang while it is set
        self.gone = threading.Event()  # unplugged
        self.damaged: set[int] = set()
        self.raw = True  # hands out the device's own bytes
        self.opened: list[int] = []
        self.released = 0
        self.count = 0

    def open(self, number: int) -> StandInDevice:
        self.opened.append(number)
        return StandInDevice(self)


class StandInDevice:
    """STAND-IN for `cv2.VideoCapture`."""

    def __init__(self, plug: Plug) -> None:
        self._plug = plug
        self._format = next(iter(plug.modes))
        self._mode = plug.modes[self._format][0]
        self._asked = [0, 0, 0]
        self._raw = False
        self._frames: list[Nv21Frame] = []

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return not self._plug.busy

    def set(self, prop: int, value: float) -> bool:
        sizes = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        if prop == cv2.CAP_PROP_FOURCC:
            wanted = [name for name in self._plug.modes if _code(name) == value]
            self._format = (wanted or [self._format])[0]
        elif prop == cv2.CAP_PROP_CONVERT_RGB:
            self._raw = self._plug.raw and not value
        else:
            self._asked[sizes.index(prop)] = int(value)
        self._mode = min(  # a driver gives the nearest that it has
            self._plug.modes[self._format],
            key=lambda mode: [
                abs(has - asked) for has, asked in zip(mode, self._asked, strict=True)
            ],
        )
        return True

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_FOURCC:
            return float(_code(self._format))
        sizes = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        return float(self._mode[sizes.index(prop)])

    def read(self) -> tuple[bool, Any]:
        while self._plug.stuck.is_set() and not self._plug.gone.is_set():
            time.sleep(0.01)
        time.sleep(1 / self._mode[2])
        if self._plug.gone.is_set():
            return False, None
        self._frames = self._frames or pattern(*self._mode[:2], 200)
        frame = self._frames[self._plug.count % 200]
        self._plug.count += 1
        return True, self._bytes(frame)

    def _bytes(self, frame: Nv21Frame) -> np.ndarray:
        if not self._raw:
            return frame.to_bgr()
        data = {"NV12": frame.to_nv12, "YUYV": lambda: _yuyv(frame), "MJPG": lambda: _jpeg(frame)}
        raw = np.asarray(data[self._format]())
        damaged = self._plug.count - 1 in self._plug.damaged
        return raw.reshape(-1)[: 100 if damaged else None].reshape(1, -1)

    def release(self) -> None:
        self._plug.released += 1


def _jpeg(frame: Nv21Frame) -> np.ndarray:
    return cv2.imencode(".jpg", frame.to_bgr(), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]


@contextmanager
def plugged_in(folder: Path) -> Iterator[str]:
    """What to write behind `camera:` for a stand-in whose /dev is in `folder`."""
    (folder / "video0").touch()
    plug = Plug({"YUYV": [(96, 64, 30)]})
    with mock.patch.multiple(_v4l2, DEV=str(folder), open_device=plug.open):
        yield "0,96x64,fps=30"
