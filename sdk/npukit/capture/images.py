"""Pictures as frames: one file, or a folder in the order of its names."""

from __future__ import annotations

import os
from typing import Iterator, List, Optional

import cv2

from npukit.arrays import U8
from npukit.capture.base import Captured, Source, even_part
from npukit.color import Color
from npukit.errors import CaptureError
from npukit.frame import Nv21Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_FPS = 30.0


class ImageSource(Source):
    """`images:FOLDER`, or the path of a folder or picture."""

    def __init__(self, path: str, files: List[str]) -> None:
        super().__init__(path, _FPS, len(files))
        self._files = files

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Folders, and files with a picture's suffix."""
        return os.path.isdir(uri) or uri.lower().endswith(SUFFIXES)

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`."""
        if os.path.isfile(uri):
            return cls(uri, [uri])
        if not os.path.isdir(uri):
            raise CaptureError("no such folder or picture", where=uri)
        names = sorted(name for name in os.listdir(uri) if name.lower().endswith(SUFFIXES))
        if not names:
            raise CaptureError(
                "the folder holds no pictures", where=uri, hint="looked for " + ", ".join(SUFFIXES)
            )
        return cls(uri, [os.path.join(uri, name) for name in names])

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`."""
        for index, path in enumerate(self._files):
            picture = _read(path)
            rect = even_part(picture.shape[1], picture.shape[0], self)
            if not rect.width or not rect.height:
                raise CaptureError("the picture is smaller than 2x2", where=path)
            part = picture[: rect.height, : rect.width]
            yield Captured(Nv21Frame.from_bgr(part, Color()), index, index / self.fps)


def _read(path: str) -> U8:
    """(H, W, 3) BGR."""
    try:
        picture: Optional[U8] = cv2.imread(path, cv2.IMREAD_COLOR)
    except cv2.error as error:  # too large a picture
        raise CaptureError("OpenCV refuses the picture: {}".format(error), where=path) from error
    if picture is None:
        raise CaptureError("not a picture that OpenCV reads", where=path)
    return picture
