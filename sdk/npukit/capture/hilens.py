"""The HiLens Kit's camera, network cameras and files, through the vendor's `hilens` module."""

from __future__ import annotations

import re
import time
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple, Union

import hilens

from npukit.addresses import hide_password
from npukit.capture.base import Captured, Source
from npukit.color import DEFAULT_COLOR
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

_FORM = re.compile(r"(.*?)(?:,(\d+)x(\d+))?", re.DOTALL)
_FPS = 30.0  # the vendor's module does not tell it


class HilensSource(Source):
    """`hilens` (the board's camera), `hilens:0` (USB), `hilens:NAME|rtsp://...|FILE.mp4[,WxH]`."""

    live = True

    def __init__(self, uri: str, camera: Any, is_file: bool) -> None:
        super().__init__(uri, _FPS)
        self.live = not is_file
        self._camera = camera

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Only by its prefix."""
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`."""
        camera = _Camera.parse(uri)
        shown = "hilens:" + hide_password(uri) if uri else "hilens"
        try:
            opened = hilens.VideoCapture(*camera.arguments())
        except (ValueError, hilens.CreateError) as error:
            raise CaptureError(
                "the device does not open it: {}".format(error), where=shown
            ) from error
        return cls(shown, opened, camera.name.endswith(".mp4"))

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`; the time is that of reading, the device gives none."""
        index, first = 0, time.perf_counter()
        while True:
            try:
                data = self._camera.read()
            except RuntimeError as error:
                if not self.live and index:
                    return  # the vendor tells the end of a file as a failure
                raise CaptureError(
                    str(error), where="{}, frame {}".format(self.uri, index)
                ) from error
            # A USB camera gives BGR, everything else NV21.
            frame = (
                Nv21Frame.from_bgr(data, DEFAULT_COLOR)
                if data.ndim == 3
                else Nv21Frame.from_packed(data, DEFAULT_COLOR)
            )
            time_s = index / self.fps if not self.live else time.perf_counter() - first
            yield Captured(frame, index, time_s)
            index += 1

    def close(self) -> None:
        """See `Source.close`; the vendor's object has no close, it lets go when it is forgotten."""
        self._camera = None


class _Camera(NamedTuple):
    """What the vendor's constructor is given: a name ("" is the board's camera), a size."""

    name: str
    size: Optional[Tuple[int, int]]

    @classmethod
    def parse(cls, uri: str) -> _Camera:
        name, width, height = _FORM.fullmatch(uri).groups()  # type: ignore[union-attr]
        return cls(name, (int(width), int(height)) if width else None)

    def arguments(self) -> List[Union[int, str]]:
        if self.size is not None:
            return [self.name, *self.size]
        if not self.name:
            return []
        return [int(self.name) if self.name.isdigit() else self.name]
