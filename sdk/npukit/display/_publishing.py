"""One connection to an RTMP server, kept by a process of its own."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from npukit.addresses import hide_password
from npukit.display._process import DONE, ERROR, READY, TAKEN, FrameProcess
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

_FORM = "rtmp://HOST:PORT/APPLICATION/KEY"
_PORTS = {"rtmp": 1935, "rtmps": 443}
_ODD = re.compile(r"[\x00-\x20\x7f]")
_PROBE_S = 5.0  # to reach the server
_START_S = 30.0  # for a process to start on a slow board
_CONNECT_S = 8.0  # for the server to take the stream
_SEND_S = 5.0  # for a frame: a server that takes none for so long is given up
_END_S = 5.0  # for the last frames


class LostError(Exception):
    """The connection cannot be made, or is lost; its text shows no key."""


class Address(NamedTuple):
    """Where to connect; `url` holds the key, `shown` does not."""

    url: str
    host: str
    port: int
    shown: str

    def __repr__(self) -> str:
        return "Address({})".format(self.shown)

    @classmethod
    def parse(cls, text: str) -> Address:
        """From `rtmp://...`, `rtmps://...`, or what follows `rtmp:`.

        Raises:
            DisplayError: not understood; its text shows no key, however odd the address is.
        """
        url = text if text.startswith(("rtmp:", "rtmps:")) else "rtmp:" + text
        scheme = url.partition(":")[0]
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS[scheme]
        except ValueError:
            host, port = "", 0
        application, _, key = parts.path.lstrip("/").partition("/") if host else ("", "", "")
        if not application or not key or _ODD.search(url):
            raise DisplayError(
                "not an address of a stream", where=hide_password(url), hint="as in " + _FORM
            )
        return cls(url, host, port, hide_password(url))

    def probe(self) -> None:
        """Connect and hang up.

        Raises:
            LostError: nobody answers.
        """
        try:
            socket.create_connection((self.host, self.port), _PROBE_S).close()
        except socket.timeout:
            raise LostError("the server does not answer") from None
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "the name is not understood"
            raise LostError("the server cannot be reached: {}".format(reason)) from None


class Publishing:
    """A connection in the making, then a stream that the server takes."""

    def __init__(self, address: Address) -> None:
        """Start the process; nothing is connected yet.

        Raises:
            LostError: it does not start.
        """
        self._address = address
        self._process = FrameProcess("npukit.display._publisher", {"url": address.url})
        self._expect(READY, _START_S)

    def start(self, first: Nv21Frame, time_s: float) -> None:
        """Connect and send the first frame.

        Raises:
            LostError: the server does not take it.
        """
        self._send(first, time_s, _CONNECT_S)
        self._expect(TAKEN, _CONNECT_S)

    def send(self, frame: Nv21Frame, time_s: float) -> None:
        """Hand a frame to the encoder.

        Raises:
            LostError: the connection is lost, or has taken nothing for seconds.
        """
        self._send(frame, time_s, _SEND_S)

    def end(self) -> None:
        """Send the rest and hang up.

        Raises:
            LostError: not all of it may have arrived.
        """
        said = self._process.end(_END_S)
        if said != DONE:
            raise LostError(said[len(ERROR) :].strip() or "no answer for {:g} s".format(_END_S))

    def kill(self) -> None:
        """Hang up at once; any thread may call this."""
        self._process.kill()

    def _expect(self, answer: str, timeout_s: float) -> None:
        try:
            said = self._process.answer(timeout_s)
        except TimeoutError as error:
            self._give_up(str(error))
        if said != answer:
            self._give_up(self._process.reason(said))

    def _send(self, frame: Nv21Frame, time_s: float, timeout_s: float) -> None:
        try:
            self._process.send(frame, time_s, timeout_s)
        except TimeoutError as error:
            self._give_up(str(error))
        except BrokenPipeError:
            self._give_up(self._process.reason(self._process.last_words()))

    def _give_up(self, reason: str) -> NoReturn:
        self._process.kill()
        self._process.end(_END_S)
        raise LostError(reason.replace(self._address.url, self._address.shown)) from None
