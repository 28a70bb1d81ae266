"""Video files: whole under their own name, or a playable part under another."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Dict, Optional, Tuple

import av
import av.error

from npukit.display._encoder import Encoder
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame


class VideoFileSink(Sink):
    """A file that one encoder writes.

    Written as FILE.part.SUFFIX so that a killed run leaves a playable part; renamed once complete.

    Attributes:
        suffixes: that a path may end in.
        format, options: of the container, by FFmpeg's names.
    """

    suffixes: Tuple[str, ...] = ()
    format = ""
    options: ClassVar[Dict[str, str]] = {}

    def __init__(self, path: str) -> None:
        super().__init__(path)
        stem, suffix = os.path.splitext(path)
        self._part = stem + ".part" + suffix
        self._container: Any = None
        self._encoder: Optional[Encoder] = None

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Paths with one of the suffixes."""
        return target.lower().endswith(cls.suffixes)

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`."""
        if not cls.accepts(target):
            kind = cls.__module__.rpartition(".")[2]
            raise DisplayError(
                "the file must end in {}".format(", ".join(cls.suffixes)),
                where=target or kind + ":",
            )
        folder = os.path.dirname(os.path.abspath(target))
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise DisplayError("cannot make the folder: {}".format(error), where=target) from error
        if not os.access(folder, os.W_OK):
            raise DisplayError("the folder is not writable", where=folder)
        if os.path.isdir(target):
            raise DisplayError("a folder has this name", where=target)
        return cls(target)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`."""
        try:
            self._put(frame, time_s)
        except DisplayError as error:
            raise DisplayError(error.message, where=self.target, hint=error.hint) from error
        except (av.error.FFmpegError, OSError) as error:
            raise DisplayError(
                "cannot write frame {}: {}".format(self._count, error), where=self._part
            ) from error

    def close(self, complete: bool) -> None:
        """See `Sink.close`."""
        try:
            self._finish()
            if complete and self._count:
                os.replace(self._part, self.target)
        except (av.error.FFmpegError, OSError) as error:
            if self._count:
                self.notices.append("what could be written is in {}".format(self._part))
            raise DisplayError(
                "cannot finish the file: {}".format(error), where=self._part
            ) from error
        if not self._count:
            self.notices.append("no frames, nothing written to {}".format(self.target))
        elif complete:
            self.notices.append("{} frames in {}".format(self._count, self.target))
        else:
            self.notices.append(
                "cut short: the first {} frames are in {}".format(self._count, self._part)
            )

    @property
    def _count(self) -> int:
        return self._encoder.count if self._encoder else 0

    def _begin(self, frame: Nv21Frame) -> Encoder:
        # The final file is not touched before the new one is complete. An absolute path, so
        # that a colon in the name is not taken for a protocol.
        self._container = av.open(
            os.path.abspath(self._part), "w", format=self.format, options=self.options
        )
        encoder = self._make_encoder(frame)
        self._container.start_encoding()  # a file that cannot be written is told at once
        self._encoder = encoder
        return encoder

    def _make_encoder(self, frame: Nv21Frame) -> Encoder:
        return Encoder(self._container, frame)

    def _put(self, frame: Nv21Frame, time_s: float) -> None:
        encoder = self._encoder or self._begin(frame)
        encoder.put(frame, time_s)

    def _finish(self) -> None:
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            if self._encoder is not None and self._encoder.count:
                self._encoder.finish()
        finally:
            container.close()
