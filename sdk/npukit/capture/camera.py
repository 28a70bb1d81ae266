"""USB and other Video4Linux cameras, through OpenCV."""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple, Tuple

from npukit.capture import _v4l2
from npukit.capture._live import NAMES, LiveSource, Patience
from npukit.capture._options import number, parse_options
from npukit.capture._reader import LostError, Reader, Shot, Shots
from npukit.capture._v4l2 import Mode
from npukit.capture.base import Source
from npukit.errors import CaptureError

_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_DEFAULT = Mode(1280, 720, 30.0)


class _Order(NamedTuple):
    """What the text behind `camera:` asks for; `name` is a number or a path."""

    name: str
    wanted: Mode
    patience: Patience
    shown: str


class CameraSource(LiveSource):
    """`camera:0,1280x720,fps=30,timeout=5,reconnect=8`, or `camera:/dev/video0`; all optional."""

    def __init__(self, order: _Order) -> None:
        self._order = order
        super().__init__(order.shown, order.patience)

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Only by its prefix."""
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`; waits for the first picture."""
        source = cls(_parse(uri))
        source.connect()
        return source

    def _shots(self, reader: Reader) -> Shots:
        device, mode = self._open()
        try:
            self.fps = mode.fps
            yield None
            while True:
                there, data = device.read()
                stamp_s = time.monotonic()  # Video4Linux' own stamp does not reach us on boards
                if not there or data is None:
                    raise LostError(self._why_gone())
                frame = _v4l2.to_nv21(data, mode, self)
                if frame is None:
                    self.tally("damaged pictures left out")
                    yield None
                else:
                    yield Shot(frame, stamp_s)
        finally:
            device.release()

    def _open(self) -> Tuple[Any, Mode]:
        """The device, set up; it is looked up anew each time, it may come back elsewhere."""
        device = _v4l2.open_device(_v4l2.device_number(self._order.name))
        if not device.isOpened():
            device.release()
            raise LostError(
                "the device does not open as a camera",
                "does another program use it? Of a camera's devices, the first has the pictures",
            )
        return device, _v4l2.negotiate(device, self._order.wanted, self)

    def _why_gone(self) -> str:
        try:
            _v4l2.device_number(self._order.name)
        except LostError as gone:
            return "unplugged: " + gone.end.reason
        return "the camera gives no more pictures"


def _parse(uri: str) -> _Order:
    shown = "camera:" + uri
    name, *texts = uri.split(",")
    if "=" in name or _SIZE.fullmatch(name):
        name, texts = "", [name, *texts]
    sizes = [text for text in texts if _SIZE.fullmatch(text)]
    if len(sizes) > 1:
        raise CaptureError("the size is given twice", where=shown)
    width, height = (int(side) for side in sizes[0].split("x")) if sizes else _DEFAULT[:2]
    if width % 2 or height % 2:
        raise CaptureError("{}x{}: NV21 needs even sizes".format(width, height), where=shown)
    rest = (text for text in texts if text not in sizes)
    options = parse_options(rest, ("fps", *NAMES), shown)
    fps = number("fps", options.get("fps", str(_DEFAULT.fps)), 1, 1000, shown)
    return _Order(name or "0", Mode(width, height, fps), Patience.parse(options, shown), shown)
