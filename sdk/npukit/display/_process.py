"""Frames to a process beside this one: for code that may abort its process or never return.

The parent writes settings (one line of JSON), then for each frame a header and the planes. The
child answers with lines of text: `ready`, `taken` (the first frame), `closed` (by the user),
`done`, `error REASON`.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import tempfile
import time
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

import npukit
from npukit.arrays import U8
from npukit.color import Color, Matrix, Range
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

READY, TAKEN, CLOSED, DONE, ERROR = "ready", "taken", "closed", "done", "error"
_HEADER = struct.Struct("<HHBBd")  # width, height, matrix, range, seconds
_MATRICES, _RANGES = tuple(Matrix), tuple(Range)
_PIPE_BYTES = 1 << 20  # what an unprivileged process may ask for: fewer switches per frame
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, which Python names from 3.10 on
_REASON_LENGTH = 300
_LAST_WORDS_S = 1.0


class FrameProcess:
    """The parent's end. One thread uses it."""

    def __init__(self, module: str, settings: Dict[str, Any]) -> None:
        """Start `python -m module`; the settings are not seen in the list of processes."""
        root = os.path.dirname(os.path.dirname(os.path.abspath(npukit.__file__)))
        # The same packages as here, whatever lies in the working folder.
        path = os.pathsep.join([root, *(os.path.abspath(place) for place in sys.path if place)])
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=root,
            env=dict(os.environ, PYTHONPATH=path),
            bufsize=0,
        )
        self._answers = b""
        self._lines: List[str] = []
        self._to, self._from = _fd(self._process.stdin), _fd(self._process.stdout)
        try:
            fcntl.fcntl(self._to, _SET_PIPE_SIZE, _PIPE_BYTES)
        except OSError:
            pass  # slower, no more
        for fd in (self._to, self._from):
            os.set_blocking(fd, False)
        self._write([json.dumps(settings).encode() + b"\n"], 5.0)

    def send(self, frame: Nv21Frame, time_s: float, timeout_s: float) -> None:
        """Hand a frame over.

        Raises:
            BrokenPipeError: the process has ended; `answer` and `reason` say why.
            TimeoutError: it did not take the whole frame in time.
        """
        header = _HEADER.pack(
            frame.width,
            frame.height,
            _MATRICES.index(frame.color.matrix),
            _RANGES.index(frame.color.range),
            time_s,
        )
        planes = [np.ascontiguousarray(plane).data.cast("B") for plane in (frame.y, frame.vu)]
        self._write([header, *planes], timeout_s)

    def answer(self, timeout_s: float) -> str:
        """The next line from the process; empty when it ended without one.

        Raises:
            TimeoutError: it said nothing in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._lines:
            if not _ready(self._from, select.POLLIN, deadline):
                raise TimeoutError("no answer for {:g} s".format(timeout_s))
            data = os.read(self._from, 4096)
            if not data:
                return ""
            *lines, self._answers = (self._answers + data).split(b"\n")
            self._lines.extend(line.decode(errors="replace") for line in lines)
        return self._lines.pop(0)

    def last_words(self) -> str:
        """Called when it takes nothing more: what it said before it ended, empty if nothing."""
        try:
            return self.answer(_LAST_WORDS_S)
        except TimeoutError:
            return ""

    def reason(self, said: str) -> str:
        """Why it ended: what it `said`, else its error output, else its exit code."""
        if said.startswith(ERROR):
            return said[len(ERROR) :].strip()
        code = self._wait(_LAST_WORDS_S)
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            return "its process ended with code {}".format(code)
        # Libraries name the cause first, Python last.
        python = "Traceback (most recent call last):" in lines
        return "; ".join(lines[-1:] if python else lines[:2])[:_REASON_LENGTH]

    def kill(self) -> None:
        """End it at once; what waits for it returns. Any thread may call this."""
        self._process.kill()

    def end(self, timeout_s: float) -> str:
        """Let it finish what it has, else kill it; the last line that it said. Called once."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._wait(timeout_s)
        said = last = self.last_words()
        while said:
            last, said = said, self.last_words()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
        return last

    def _wait(self, timeout_s: float) -> int:
        """Its exit code; killed when it takes longer."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _write(self, parts: List[Any], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for part in parts:
            rest = memoryview(part)
            while rest:
                if not _ready(self._to, select.POLLOUT, deadline):
                    raise TimeoutError("nothing taken for {:g} s".format(timeout_s))
                try:
                    rest = rest[os.write(self._to, rest) :]
                except BlockingIOError:
                    continue


def _ready(fd: int, event: int, deadline: float) -> bool:
    """Whether a pipe can be used, or is broken, before a moment of the monotonic clock."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1e3))


def answer(text: str) -> None:
    """Called by the child: a line to the parent, who may be gone."""
    try:
        os.write(1, text.replace("\n", " ").encode() + b"\n")
    except OSError:
        pass


def read_settings(stream: IO[bytes]) -> Dict[str, Any]:
    """Called by the child, first.

    Raises:
        DisplayError: the parent is gone.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise DisplayError("no settings came")
    settings: Dict[str, Any] = json.loads(line.decode())
    return settings


def read_frame(stream: IO[bytes]) -> Optional[Tuple[Nv21Frame, float]]:
    """Called by the child: the next frame and its time; None after the last, or half a frame."""
    header = np.empty(_HEADER.size, np.uint8)
    if not _fill(stream, header):
        return None
    width, height, matrix, range_, time_s = _HEADER.unpack(header.data)
    packed: U8 = np.empty((height * 3 // 2, width), np.uint8)
    if not _fill(stream, packed.reshape(-1)):
        return None
    color = Color(_MATRICES[matrix], _RANGES[range_])
    return Nv21Frame.from_packed(packed, color), time_s


def _fill(stream: IO[bytes], array: U8) -> bool:
    """Whether there was enough to fill it."""
    got = 0
    while got < array.size:
        count = stream.readinto(array[got:].data)  # type: ignore[attr-defined]
        if not count:
            return False
        got += count
    return True


def frames(stream: IO[bytes]) -> Iterator[Tuple[Nv21Frame, float]]:
    """Called by the child: the frames to the last one."""
    while True:
        taken = read_frame(stream)
        if taken is None:
            return
        yield taken


def _fd(pipe: Optional[IO[bytes]]) -> int:
    if pipe is None:
        raise AssertionError("no pipe was asked for")
    return pipe.fileno()
