"""A skill's log: written in files of bounded size, read at its end and as it grows."""

from __future__ import annotations

import os
import threading
import time
from typing import IO, List, NamedTuple, Optional, Sequence, Tuple

_BYTES, _FILES = 4 << 20, 4
_LINE = 400  # bytes: most are shorter


class Log:
    """Lines with their time; `PATH.1` is the file before, and so on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[bytes] = open(path, "ab", buffering=0)  # noqa: SIM115 - held for long
        self._guard = threading.Lock()

    def write(self, line: bytes) -> None:
        """Append a line; the oldest are forgotten."""
        with self._guard:
            if self._file.tell() > _BYTES:
                self._rotate()
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S ", time.localtime()).encode("ascii")
            self._file.write(stamp + line.rstrip(b"\r\n") + b"\n")

    def note(self, text: str) -> None:
        """A line of the supervisor's own."""
        self.write("npukit: {}".format(text).encode("utf-8"))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        names = _names(self._path)
        for number in range(_FILES - 1, 0, -1):
            if os.path.exists(names[number - 1]):
                os.replace(names[number - 1], names[number])
        self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115


class Position(NamedTuple):
    """How far a log was read: the number of the file, whatever its name is now, and bytes."""

    file: int
    offset: int


def tail(path: str, lines: int) -> Tuple[List[str], Position]:
    """The last lines, and where the next one will begin."""
    found: List[bytes] = []
    position = Position(0, 0)
    for name in _names(path):
        if os.path.exists(name) and (name == path or len(found) < lines):
            with open(name, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                start = max(0, size - _LINE * max(lines, 1))
                file.seek(start)
                text = file.read()
                whole = text[: text.rfind(b"\n") + 1]
                if name == path:
                    position = Position(os.fstat(file.fileno()).st_ino, start + len(whole))
            parts = whole.splitlines()
            found = (parts[1:] if start else parts) + found  # the first may be cut
    return [
        part.decode("utf-8", "replace") for part in found[max(0, len(found) - lines) :]
    ], position


class Growing:
    """What is appended after a position, also when the files are renamed meanwhile."""

    def __init__(self, path: str, position: Sequence[int]) -> None:
        self._path = path
        self._file: Optional[IO[bytes]] = None
        self.position = Position(*position)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self) -> List[str]:
        """What came since the last call; whole lines."""
        found = self._more()
        while not found and self._next():
            found = self._more()
        return found

    def _more(self) -> List[str]:
        if self._file is None:
            name = self._name()
            if name is None:
                return []
            self._file = open(name, "rb")  # noqa: SIM115 - held: it may be renamed
        self._file.seek(self.position.offset)
        text = self._file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.position = self.position._replace(offset=self.position.offset + len(whole))
        return whole.decode("utf-8", "replace").splitlines()

    def _name(self) -> Optional[str]:
        """What the file is called now; the newest where it is gone."""
        there = [name for name in _names(self._path) if os.path.exists(name)]
        for name in there:
            if os.stat(name).st_ino == self.position.file:
                return name
        if not there:
            return None
        self.position = Position(os.stat(there[0]).st_ino, 0)
        return there[0]

    def _next(self) -> bool:
        """Go on to the file after this one, if there is one."""
        name = self._name()
        if name is None or name == self._path:
            return False
        newer = _names(self._path)[_names(self._path).index(name) - 1]
        self.close()
        self.position = Position(os.stat(newer).st_ino, 0)
        return True


def _names(path: str) -> List[str]:
    """The newest first."""
    return [path] + ["{}.{}".format(path, number) for number in range(1, _FILES)]
