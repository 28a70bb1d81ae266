"""Frames as numbered pictures in a folder."""

from __future__ import annotations

import os

import cv2

from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.files import replacing
from npukit.frame import Nv21Frame


class ImageSink(Sink):
    """`images:FOLDER`, or a path that ends in a slash: FOLDER/000000.png and so on."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._count = 0

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Existing folders, and paths that end in a slash; no addresses."""
        return "://" not in target and (target.endswith("/") or os.path.isdir(target))

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if not target:
            raise DisplayError("no folder given", hint="as in images:out")
        try:
            os.makedirs(target, exist_ok=True)
        except OSError as error:
            raise DisplayError("cannot make the folder: {}".format(error), where=target) from error
        return cls(target)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""
        path = os.path.join(self.target, "{:06d}.png".format(self._count))
        try:
            with replacing(path) as temporary:
                if not cv2.imwrite(temporary, frame.to_bgr()):
                    raise OSError("OpenCV did not write it")
        except (OSError, cv2.error) as error:
            raise DisplayError("cannot write the picture: {}".format(error), where=path) from error
        self._count += 1

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
        self.notices.append(
            "{} pictures in {}{}".format(
                self._count, self.target, "" if complete else ", not all: the run was cut short"
            )
        )
