"""What is put behind the person: a picture, a colour, the blurred scene itself, or a video.

A still background is brought into the frame's size, matrix and range once; later frames
get the prepared planes.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from typing import Callable, Iterator, Optional, Tuple

import cv2
import numpy as np

from npukit.color import Color, from_rgb_matrix
from npukit.errors import ConfigError
from npukit.frame import Nv21Frame, center_rect

Key = Tuple[Tuple[int, int], Color]
Rgb = Tuple[int, int, int]

_NAMED = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "green": (0, 177, 64),  # chroma-key green
    "blue": (0, 71, 187),  # chroma-key blue
}
_VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm")


class Background(ABC):
    """Gives each frame a background of the frame's own size and colour."""

    @abstractmethod
    def behind(self, frame: Nv21Frame) -> Nv21Frame:
        """The background for `frame`; the caller must not write into it."""

    def reset(self) -> None:  # noqa: B027 - most backgrounds have nothing to rewind
        """Start over: a new source begins."""


class _Still(Background):
    """A background that depends on nothing but the frame's size and colour."""

    def __init__(self) -> None:
        self._prepared: Optional[Nv21Frame] = None

    def behind(self, frame: Nv21Frame) -> Nv21Frame:
        ready = self._prepared
        if ready is None or ready.size != frame.size or ready.color != frame.color:
            ready = self._prepared = self._prepare(frame.size, frame.color)
        return ready

    @abstractmethod
    def _prepare(self, size: Tuple[int, int], color: Color) -> Nv21Frame:
        """Make the planes."""


class ColorBackground(_Still):
    """One RGB colour."""

    def __init__(self, rgb: Rgb) -> None:
        super().__init__()
        self._rgb = rgb

    def _prepare(self, size: Tuple[int, int], color: Color) -> Nv21Frame:
        # Full-range chroma reaches 255.5.
        y, u, v = np.clip(np.rint(from_rgb_matrix(color) @ np.array([*self._rgb, 1.0])), 0, 255)
        return Nv21Frame.filled(size[0], size[1], color, (int(y), int(u), int(v)))


class ImageBackground(_Still):
    """A picture, scaled to cover the frame and cut at the centre."""

    def __init__(self, path: str) -> None:
        """Read the picture.

        Raises:
            ConfigError: no such file, or not a picture.
        """
        super().__init__()
        if not os.path.isfile(path):
            raise ConfigError("the background picture does not exist", where=path)
        picture = cv2.imread(path, cv2.IMREAD_COLOR)
        if picture is None:
            raise ConfigError(
                "the background is no picture that OpenCV reads",
                where=path,
                hint="use a .jpg or .png file",
            )
        self._bgr = picture

    def _prepare(self, size: Tuple[int, int], color: Color) -> Nv21Frame:
        height, width = self._bgr.shape[:2]
        scale = max(size[0] / width, size[1] / height)
        flag = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
        # Rounded up to even, so that the picture covers the frame.
        even = [
            max(-(-round(side * scale) // 2) * 2, low) for side, low in zip((width, height), size)
        ]
        whole = Nv21Frame.from_bgr(cv2.resize(self._bgr, tuple(even), interpolation=flag), color)
        rect = center_rect(whole.size, size)
        return whole.crop(rect).resize(*size)


class BlurBackground(Background):
    """The scene itself, out of focus."""

    def __init__(self, amount: float = 0.03) -> None:
        """`amount`: standard deviation of the blur as a part of the frame's width."""
        if not 0.0 < amount <= 0.2:
            raise ConfigError("blur must be in (0, 0.2] of the width, not {}".format(amount))
        self._amount = amount

    def behind(self, frame: Nv21Frame) -> Nv21Frame:
        """See `Background.behind`."""
        # At an eighth of the size, where it costs next to nothing and looks the same.
        width, height = (max(side // 16 * 2, 2) for side in frame.size)
        small = frame.resize(width, height, "area")
        sigma = self._amount * width
        return Nv21Frame(
            cv2.GaussianBlur(small.y, (0, 0), sigma),
            cv2.GaussianBlur(small.vu, (0, 0), sigma / 2),
            frame.color,
        ).resize(*frame.size)


class VideoBackground(Background):
    """A video, one frame of it for each frame, from its beginning again when it ends."""

    def __init__(self, open_frames: Callable[[], Iterator[Nv21Frame]], name: str = "video") -> None:
        """`open_frames` starts the video anew."""
        self._open = open_frames
        self._name = name
        self._frames: Iterator[Nv21Frame] = iter(())

    def behind(self, frame: Nv21Frame) -> Nv21Frame:
        """See `Background.behind`."""
        picture = next(self._frames, None)
        if picture is None:
            self._frames = self._open()
            picture = next(self._frames, None)
        if picture is None:
            raise ConfigError("the background video has no frames", where=self._name)
        part = picture.crop(center_rect(picture.size, frame.size))
        return part.resize(*frame.size).recolor(frame.color)

    def reset(self) -> None:
        """See `Background.reset`."""
        self._frames = iter(())


def open_background(text: str) -> Background:
    """The background that a parameter names.

    Args:
        text: `blur`, `blur:0.05`, a colour (`green`, `#rrggbb`), or the path of a picture
            or video.

    Raises:
        ConfigError: none of these.
    """
    kind, _, value = text.partition(":")
    if kind == "blur":
        try:
            return BlurBackground(float(value)) if value else BlurBackground()
        except ValueError:
            raise ConfigError("not a number: {!r}".format(value), where="background") from None
    if text in _NAMED:
        return ColorBackground(_NAMED[text])
    if re.match(r"^#[0-9a-fA-F]{6}$", text):
        return ColorBackground((int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)))
    if text.lower().endswith(_VIDEOS):
        return _video_background(text)
    if not os.path.exists(text):
        raise ConfigError(
            "{!r} is neither a file nor a colour".format(text),
            where="background",
            hint="use a picture, a video, blur, #rrggbb, or one of: {}".format(", ".join(_NAMED)),
        )
    return ImageBackground(text)


def _video_background(path: str) -> Background:
    from npukit.capture import open_source

    def frames() -> Iterator[Nv21Frame]:
        source = open_source(path)
        try:
            for captured in source.frames():
                yield captured.frame
        finally:
            source.close()

    open_source(path).close()  # a missing or broken file is told now, not at the first frame
    return VideoBackground(frames, path)
