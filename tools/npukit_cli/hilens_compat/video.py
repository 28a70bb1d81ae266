"""VideoCapture: every argument form of the device, on npukit's sources."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional, Tuple

import numpy as np

from npukit.addresses import hide_password
from npukit.arrays import U8
from npukit.capture import Captured, Source, open_source
from npukit.color import DEFAULT_COLOR
from npukit.errors import CaptureError, NpukitError
from npukit_cli.hilens_compat import log, state
from npukit_cli.hilens_compat.codes import CreateError
from npukit_cli.hilens_compat.settings import read_settings

_CAMERA = (1280, 720)  # pictures of the board's and of USB cameras
_STUDIO_CLIP = "test/camera0.mp4"  # what HiLens Studio gives for the board's camera
_SMALLEST, _STEP = 128, 16


class VideoCapture:
    """A camera or file.

    Attributes:
        width, height: of the stream, also where frames are scaled.
    """

    def __init__(self, *args: Any) -> None:
        """Open `()`, `(name or rtsp or .mp4)`, `(0 or 1)` or `(name, width, height)`.

        Raises:
            ValueError: "incorrect parameter": another number of arguments.
            CreateError: "failed to create VideoCapture"; the reason is logged.
        """
        if len(args) not in (0, 1, 3):
            raise ValueError("incorrect parameter")
        try:
            self._form = _read_form(args)
            source = open_source(read_settings().camera or self._form.uri)
            state.on_close(self, _closing(source))
            self._frames: Iterator[Captured] = source.frames()
            first = _first(source, self._frames)
        except NpukitError as error:
            log.explain("VideoCapture: {}".format(error))
            raise CreateError("failed to create VideoCapture") from error
        self._next: Optional[Captured] = first
        size = self._form.size if self._form.is_camera else None
        self.width, self.height = size or first.frame.size
        state.set_frame_rate(source.fps)
        _tell(source)

    def read(self) -> U8:
        """The next frame: NV21 (H*3//2, W) uint8, or BGR (H, W, 3) from a USB camera.

        Raises:
            RuntimeError: "Failed to read frame", at the end and ever after.
        """
        captured = self._advance()
        if captured is None:
            raise RuntimeError("Failed to read frame")
        state.count("frames read")
        frame = captured.frame
        if self._form.size is not None:
            frame = frame.resize(*self._form.size)
        return frame.to_bgr() if self._form.as_bgr else frame.pack()

    def _advance(self) -> Optional[Captured]:
        captured, self._next = self._next, None
        try:
            return captured or next(self._frames, None)  # which gives nothing after an error
        except NpukitError as error:
            log.explain("VideoCapture: {}".format(error))
            return None


class _Form(NamedTuple):
    """What the arguments ask for.

    Attributes:
        uri: of the source.
        size: that frames are scaled to; None is the stream's.
        is_camera: that size is the stream's too.
        as_bgr: frames are BGR.
    """

    uri: str
    size: Optional[Tuple[int, int]] = None
    is_camera: bool = False
    as_bgr: bool = False


def _read_form(args: Tuple[Any, ...]) -> _Form:
    if not args:
        return _Form(_STUDIO_CLIP, _CAMERA, is_camera=True)
    name = args[0]
    if len(args) == 1 and isinstance(name, (int, np.integer)):
        if name not in (0, 1):
            raise CaptureError("USB cameras are 0 and 1, not {}".format(name))
        # The device takes /dev/video0 and /dev/video2.
        return _Form("camera:{}".format(2 * int(name)), _CAMERA, is_camera=True, as_bgr=True)
    if not isinstance(name, str):
        raise CaptureError("{!r} is neither a name nor a number".format(name))
    is_source = name.startswith("rtsp://") or name.endswith(".mp4")
    if not is_source and read_settings().camera is None:
        raise CaptureError(
            "{!r} is no rtsp:// address, no .mp4 file, and no camera is configured".format(
                hide_password(name)
            ),
            hint="give the camera with --camera",
        )
    return _Form(name, _scaled(args[1], args[2]) if len(args) == 3 else None)


def _scaled(width: Any, height: Any) -> Tuple[int, int]:
    if not all(isinstance(side, (int, np.integer)) for side in (width, height)):
        raise CaptureError("width and height are int, not {!r} and {!r}".format(width, height))
    if width % _STEP or height % 2 or min(width, height) < _SMALLEST:
        raise CaptureError(
            "{}x{}: the width must be a multiple of {}, the height even, both at least {}".format(
                width, height, _STEP, _SMALLEST
            )
        )
    return int(width), int(height)


def _closing(source: Source) -> state.Close:
    def close(_: bool) -> None:
        source.close()
        _tell(source)

    return close


def _tell(source: Source) -> None:
    for notice in source.notices:
        log.explain_once(notice)


def _first(source: Source, frames: Iterator[Captured]) -> Captured:
    """The first frame, which tells the size."""
    captured = next(frames, None)
    if captured is None:
        raise CaptureError("no frames", where=source.uri)
    if captured.frame.color != DEFAULT_COLOR:
        log.explain_once(
            "the stream is {}; what a script converts with OpenCV is read as {}".format(
                captured.frame.color, DEFAULT_COLOR
            )
        )
    return captured
