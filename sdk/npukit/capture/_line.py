"""The connection that FFmpeg holds, so that it can be cut from outside.

FFmpeg waits in its socket for as long as anything trickles in, and cannot be told to stop: PyAV's
own time-outs call Python from inside FFmpeg, and Python crashes when that happens while it ends.
"""

from __future__ import annotations

import os
import socket
from typing import Dict, Iterable, Optional, Tuple

_TABLE = "/proc/self/fd"


def open_sockets() -> Dict[str, int]:
    """The sockets of this process: what names each for good, and its number."""
    found = {}
    try:
        for number in os.listdir(_TABLE):
            try:
                name = os.readlink(os.path.join(_TABLE, number))
            except OSError:  # closed meanwhile
                continue
            if name.startswith("socket:"):
                found[name] = int(number)
    except OSError:  # no /proc
        return {}
    return found


class Line:
    """The one socket that came up since `before` and leads to one of `peers`, if it can be told.

    Where it cannot (two connections to one camera begin at once), `cut` does nothing.
    """

    def __init__(self, before: Iterable[str], peers: Iterable[Tuple[object, ...]]) -> None:
        known = set(before)
        new = [number for name, number in open_sockets().items() if name not in known]
        wanted = {peer[:2] for peer in peers}
        lines = [line for line in map(_hold, new) if line is not None]
        matching = [line for line in lines if _peer(line) in wanted]
        self._socket = matching[0] if len(matching) == 1 else None
        _close(line for line in lines if line is not self._socket)

    def cut(self) -> None:
        """End the connection: whoever waits in it wakes; may be called twice, from any thread."""
        try:
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed already

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()


def _hold(number: int) -> Optional[socket.socket]:
    try:
        return socket.socket(fileno=os.dup(number))
    except OSError:
        return None


def _peer(line: socket.socket) -> Optional[Tuple[object, ...]]:
    try:
        return tuple(line.getpeername()[:2])
    except OSError:
        return None


def _close(lines: Iterable[socket.socket]) -> None:
    for line in list(lines):
        line.close()
