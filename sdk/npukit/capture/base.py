"""The contract of a source of frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Iterator, List, Optional

from npukit.frame import Nv21Frame, Rect


@dataclass(frozen=True)
class Captured:
    """A frame and where it stands in its source.

    Attributes:
        frame: its planes may be read-only views of the decoder's memory.
        index: 0, 1, 2, ... as the source gives them.
        time_s: seconds since the source's first frame.
    """

    frame: Nv21Frame
    index: int
    time_s: float


class Source(ABC):
    """Frames from somewhere.

    Attributes:
        uri: what it was opened with, fit to be shown.
        fps: nominal frames a second.
        frame_count: how many frames it will give, None when unknown or endless.
        live: frames come at their own pace and can be missed.
        notices: what a user should know (a cropped row, dropped audio), each said once.
    """

    live = False

    def __init__(self, uri: str, fps: float, frame_count: Optional[int] = None) -> None:
        self.uri = uri
        self.fps = fps
        self.frame_count = frame_count
        self.notices: List[str] = []

    @classmethod
    @abstractmethod
    def accepts(cls, uri: str) -> bool:
        """Whether `uri` without a prefix looks like one of this kind."""

    @classmethod
    @abstractmethod
    def open(cls, uri: str) -> Source:
        """Open one.

        Args:
            uri: the text behind the prefix, or the whole text that `accepts` took.

        Raises:
            CaptureError: it cannot be opened; says why.
        """

    @abstractmethod
    def frames(self) -> Iterator[Captured]:
        """The frames in order; may be called once.

        Raises:
            CaptureError: while reading; the frames before it were given.
        """

    def stop(self) -> None:  # noqa: B027 - a source that never waits long needs no waking
        """Make `frames` end soon, without an error, even while it waits for the device.

        Called from another thread than the one in `frames`; `close` is still to be called.
        """

    def close(self) -> None:  # noqa: B027 - a source without a device has nothing to close
        """Release the device or file; may be called twice."""

    def notice(self, text: str) -> None:
        """Keep a remark, once."""
        if text not in self.notices:
            self.notices.append(text)


def even_part(width: int, height: int, source: Source) -> Rect:
    """The even rectangle of a picture; says so when a row or column is lost."""
    if width % 2 or height % 2:
        source.notice(
            "{}x{} is odd: the last {} is cropped, NV21 needs even sizes".format(
                width,
                height,
                " and ".join(
                    word for word, odd in (("column", width % 2), ("row", height % 2)) if odd
                ),
            )
        )
    return Rect(0, 0, width // 2 * 2, height // 2 * 2)
