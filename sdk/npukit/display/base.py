"""The contract of a sink for frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List

from npukit.frame import Nv21Frame


class Sink(ABC):
    """Frames to somewhere.

    Attributes:
        target: where they go, fit to be shown.
        lossless: every frame is wanted, so a slow sink holds the source up (files); else the
            oldest waiting frame is dropped (screens).
        notices: what a user should know, such as where the result lies.
    """

    lossless = True

    def __init__(self, target: str) -> None:
        self.target = target
        self.notices: List[str] = []

    @classmethod
    @abstractmethod
    def accepts(cls, target: str) -> bool:
        """Whether `target` without a prefix looks like one of this kind."""

    @classmethod
    @abstractmethod
    def open(cls, target: str) -> Sink:
        """Open one.

        Args:
            target: the text behind the prefix, or the whole text that `accepts` took.

        Raises:
            DisplayError: it cannot be opened; says why.
        """

    @abstractmethod
    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """Take the next frame; it may be kept, but not written into.

        Args:
            frame: all of one size.
            time_s: seconds since the first frame of the source, rising.

        Raises:
            DisplayError: it cannot be shown or written.
        """

    @abstractmethod
    def close(self, complete: bool) -> None:
        """Finish.

        Args:
            complete: the source was shown to its end; else an error or an interrupt came, and
                what there is must be left usable and marked as a part.
        """
