"""Network cameras: RTSP through PyAV (FFmpeg), over TCP.

FFmpeg is given the password and puts it into its error texts, so none of those leave this file.
"""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Iterator, NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit

import av
import av.error
import av.logging

from npukit.addresses import hide_password
from npukit.capture._decoded import Converter
from npukit.capture._line import Line, open_sockets
from npukit.capture._live import NAMES, LiveSource, Patience
from npukit.capture._options import parse_options
from npukit.capture._reader import End, LostError, Reader, Shot, Shots, no_answer, silence
from npukit.capture.base import Source
from npukit.errors import CaptureError

_PORT = 554
_LATER_S = 1.0
_ODD = re.compile(r"[\x00-\x20\x7f]")
_FORM = "rtsp://USER:PASSWORD@HOST:PORT/PATH#timeout=5,reconnect=8"
_OPTIONS = {
    # UDP loses packets and seldom gets through firewalls; sound is not even asked for.
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    # Microseconds of stream to look at before the first picture; the default waits longer.
    # No "nobuffer": it throws the first key frame away, and the next may be seconds off.
    "analyzeduration": "500000",
}


class _Address(NamedTuple):
    """Where to connect; `url` holds the password, `shown` does not."""

    url: str
    host: str
    port: int
    shown: str
    patience: Patience

    def __repr__(self) -> str:
        return "_Address({})".format(self.shown)


class RtspSource(LiveSource):
    """`rtsp://USER:PASSWORD@HOST:PORT/PATH#timeout=5,reconnect=8`; only the host is needed."""

    def __init__(self, address: _Address) -> None:
        self._address = address
        self._converter = Converter(self)
        super().__init__(address.shown, address.patience)

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """Only by its prefix."""
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`; connects and waits for the first picture."""
        source = cls(_parse(uri))
        source.connect()
        return source

    def _shots(self, reader: Reader) -> Shots:
        # Messages that a program has asked FFmpeg for could show the password.
        with av.logging.Capture() as messages, self._connected(reader) as container:
            stream = container.streams.video[0]
            # One thread a stage: the next stage runs beside the decoder anyway.
            stream.thread_count = 1
            self.fps = float(stream.average_rate or 30.0)
            yield None
            for packet in _packets(container, stream, self._patience.timeout_s):
                del messages[:]
                yield None
                yield from self._decode(packet)
        raise LostError("the server ended the stream")

    @contextmanager
    def _connected(self, reader: Reader) -> Iterator[Any]:
        """The open container; the thread that waits in it can be woken through the reader."""
        try:
            # FFmpeg does not tell an unknown name from a network that is down.
            found = socket.getaddrinfo(
                self._address.host, self._address.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError):
            raise LostError("the host name is not known", "is the network up?") from None
        before = open_sockets()
        with ExitStack() as stack:
            container = stack.enter_context(closing(self._open(self._patience.timeout_s)))
            line = stack.enter_context(closing(Line(before, (entry[4] for entry in found))))
            stack.callback(reader.wake_by, None)
            reader.wake_by(line.cut)
            yield container

    def _open(self, timeout_s: float) -> Any:
        # Of one wait in the socket, in microseconds; the reader's own time-out comes first.
        options = dict(_OPTIONS, timeout=str(int((timeout_s + _LATER_S) * 1e6)))
        try:
            container = av.open(self._address.url, options=options)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            end = _explained(error, no_answer(timeout_s))
            raise LostError(*end) from None
        if not container.streams.video or container.streams.video[0].codec_context is None:
            container.close()
            raise LostError("the stream holds no video that FFmpeg decodes", final=True)
        return container

    def _decode(self, packet: Any) -> Iterator[Shot]:
        try:
            pictures = packet.decode()
        except av.error.FFmpegError:
            self.tally("damaged packets left out")
            return
        for picture in pictures:
            if picture.is_corrupt:
                self.tally("damaged pictures left out")
                continue
            yield Shot(self._converter.nv21(picture), picture.time)


def _packets(container: Any, stream: Any, timeout_s: float) -> Iterator[Any]:
    try:
        for packet in container.demux(stream):
            if packet.size:  # else the end: there is nothing left to flush
                yield packet
    except (av.error.FFmpegError, OSError) as error:
        end = _explained(error, silence(timeout_s))
        raise LostError(*end) from None


def _explained(error: Exception, late: End) -> End:
    """What an error of FFmpeg means, without its text."""
    if isinstance(error, (av.error.ExitError, av.error.TimeoutError)):
        return late
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        # Cameras lock an account after a few wrong passwords.
        return End(
            "the server refuses the user name or the password",
            "special characters are written %XX, such as %40 for @",
            final=True,
        )
    if isinstance(error, av.error.HTTPNotFoundError):
        return End("the server has no stream under this path", "see the camera's manual")
    if isinstance(error, av.error.HTTPClientError):
        return End("the server refuses what is asked of it", "does the stream hold video?")
    if isinstance(error, av.error.ConnectionRefusedError):
        return End("nothing listens at this host and port", "is the camera on?")
    if isinstance(error, av.error.InvalidDataError):
        return End("what the server sends is not understood")
    return End(getattr(error, "strerror", None) or type(error).__name__)


def _parse(uri: str) -> _Address:
    """The address behind `rtsp:`.

    Raises:
        CaptureError: not understood; its text shows no password, however odd the address is.
    """
    rest = uri[len("rtsp:") :] if uri.startswith("rtsp://") else uri
    shown = "rtsp:" + hide_password(rest if rest.startswith("//") else "//" + rest)
    parts = _split("rtsp:" + rest)
    if not rest.startswith("//") or parts is None:
        raise CaptureError("not an address of a stream", where=shown, hint=_FORM)
    if _ODD.search(rest) or "@" in parts.path + parts.query + parts.fragment:
        raise CaptureError(
            "a character that has no place in a user name, a password or a path",
            where=shown,
            hint="write %40 for @, %2F for /, %23 for #, %3F for ?, %20 for a space",
        )
    options = parse_options(parts.fragment.split(","), NAMES, shown)
    return _Address(
        url=parts._replace(fragment="").geturl(),
        host=parts.hostname or "",
        port=parts.port or _PORT,
        shown=shown.partition("#")[0],
        patience=Patience.parse(options, shown),
    )


def _split(address: str) -> Optional[SplitResult]:
    """Its parts; None when there is no host, or no valid port."""
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if whole else None
