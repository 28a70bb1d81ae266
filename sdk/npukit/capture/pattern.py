"""A synthetic camera: moving colours and a frame counter that people and tests can read."""

from __future__ import annotations

import re
from typing import Iterator

import cv2
import numpy as np

from npukit.capture.base import Captured, Source
from npukit.color import Color, Matrix, Range
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

_BITS = 16
_MOST = 8192  # pixels a side
_FORM = re.compile(r"^(?:(\d+)x(\d+))?((?:,?(?:fps|frames)=\d+)*)$")


class PatternSource(Source):
    """`pattern:1280x720,fps=30,frames=300`; each part may be left out."""

    def __init__(
        self, width: int = 1280, height: int = 720, fps: float = 30.0, frames: int = 300
    ) -> None:
        super().__init__("pattern:{}x{}".format(width, height), fps, frames)
        color = Color(Matrix.BT709 if height >= 720 else Matrix.BT601, Range.LIMITED)
        self._scene = _scene(width, height, color)

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Only by its prefix."""
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`."""
        form = _FORM.match(uri)
        if form is None:
            raise CaptureError(
                "not understood",
                where="pattern:" + uri,
                hint="as in pattern:640x480,fps=25,frames=99",
            )
        options = dict(re.findall(r"(fps|frames)=(\d+)", form.group(3)))
        width, height = (int(side) if side else default for side, default in
                         zip(form.groups()[:2], (1280, 720)))  # fmt: skip
        smallest, fps = 8 * _BITS // 2, float(options.get("fps", 30))
        if width < smallest or height < 32 or width % 2 or height % 2 or max(width, height) > _MOST:
            raise CaptureError(
                "size {}x{}: even, at least {}x32, at most {}".format(
                    width, height, smallest, _MOST
                ),
                where="pattern:" + uri,
            )
        if not fps:
            raise CaptureError("fps must be at least 1", where="pattern:" + uri)
        return cls(width, height, fps, int(options.get("frames", 300)))

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`."""
        for index in range(self.frame_count or 0):
            yield Captured(_draw(self._scene, index), index, index / self.fps)


def read_counter(frame: Nv21Frame) -> int:
    """The counter (modulo 65536) in the top row of cells of a pattern frame."""
    cell = frame.width // _BITS
    row = frame.y[2:6, : cell * _BITS].reshape(4, _BITS, cell)
    bits = row[:, :, cell // 4 : -(cell // 4) or None].mean(axis=(0, 2)) > 128
    return int(sum(1 << bit for bit in range(_BITS) if bits[bit]))


def _scene(width: int, height: int, color: Color) -> Nv21Frame:
    """Twice as wide as a frame, so that a moving window of it is a view."""
    ramp = np.linspace(0, 1, width, endpoint=False)
    down = np.linspace(0, 1, height)[:, np.newaxis]
    rgb = np.empty((height, width, 3), np.float64)
    for channel in range(3):
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * (ramp + channel / 3.0))
        rgb[:, :, channel] = 255 * wave[np.newaxis] * (0.35 + 0.65 * down)
    return Nv21Frame.from_rgb(np.tile(rgb.astype(np.uint8), (1, 2, 1)), color)


def _draw(scene: Nv21Frame, index: int) -> Nv21Frame:
    width, height = scene.width // 2, scene.height
    left = index * 4 % width // 2 * 2
    y = scene.y[:, left : left + width].copy()
    vu = scene.vu[:, left // 2 : (left + width) // 2].copy()
    cell = width // _BITS
    for bit in range(_BITS):
        y[:8, bit * cell : (bit + 1) * cell] = 235 if index >> bit & 1 else 16
    vu[:4] = 128
    scale = height / 240.0
    cv2.putText(
        y, str(index), (int(8 * scale), int(height - 12 * scale)), cv2.FONT_HERSHEY_SIMPLEX,
        scale, 235, max(1, int(2 * scale)), cv2.LINE_AA,
    )  # fmt: skip
    return Nv21Frame(y, vu, scene.color)
