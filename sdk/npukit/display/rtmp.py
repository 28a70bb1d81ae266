"""A live stream to an RTMP server: FLV with H.264."""

from __future__ import annotations

import threading
from collections import deque
from typing import Deque, Optional, Tuple

from npukit.display._encoder import has_h264
from npukit.display._publishing import Address, LostError, Publishing
from npukit.display.base import Sink
from npukit.errors import DisplayError
from npukit.frame import Nv21Frame

# Source: HiLens framework 1.1.0, rtmp_publisher.cpp: frames that wait; older ones are dropped.
_WAITING = 10
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 16.0  # between two attempts to connect
_END_S = 12.0  # for what waits at the end

_Item = Tuple[Nv21Frame, float]


class RtmpSink(Sink):
    """`rtmp://HOST:PORT/APPLICATION/KEY`, or `rtmps://...`; the key is never shown.

    Holds up nothing: of more than ten waiting frames the oldest is dropped. A server that cannot
    be reached at the start is an error; one that goes away later is tried again until it is back.
    """

    lossless = False

    def __init__(self, address: Address) -> None:
        super().__init__(address.shown)
        self._address = address
        self._waiting: Deque[_Item] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._stream: Optional[Publishing] = None
        self._error: Optional[Exception] = None
        self._given = self._sent = self._lost = 0
        self._reason = ""
        self._worker = threading.Thread(target=self._run, daemon=True)
        self._worker.start()

    @classmethod
    def accepts(cls, target: str) -> bool:
        """Addresses of RTMP servers."""
        return target.startswith(("rtmp://", "rtmps://"))

    @classmethod
    def open(cls, target: str) -> Sink:
        """See `Sink.open`; the server must answer, the key is tried with the first frame."""
        address = Address.parse(target)
        if not has_h264():
            raise DisplayError(
                "this PyAV has no H.264 encoder (libx264)",
                where=address.shown,
                hint="install its wheel from PyPI",
            )
        try:
            address.probe()
        except LostError as error:
            raise DisplayError(str(error), where=address.shown, hint="is it up?") from None
        return cls(address)

    def show(self, frame: Nv21Frame, time_s: float) -> None:
        """See `Sink.show`; returns at once."""
        with self._changed:
            if self._error is not None:
                raise self._error
            self._given += 1
            self._waiting.append((frame, time_s))
            if len(self._waiting) > _WAITING:
                self._waiting.popleft()
            self._changed.notify()

    def close(self, complete: bool) -> None:
        """See `Sink.close`; what waits is still sent, unless that takes long."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        self._worker.join(_END_S)
        if self._stream is not None:
            self._stream.kill()
        self._tell()
        if self._error is not None:
            raise self._error

    def _tell(self) -> None:
        self.notices.append("{} frames to {}".format(self._sent, self.target))
        if self._given > self._sent:
            self.notices.append(
                "{} frames were not sent: the server or the network was slow or away".format(
                    self._given - self._sent
                )
            )
        if self._lost:
            self.notices.append(
                "the connection was lost {} time(s), last: {}".format(self._lost, self._reason)
            )

    # --- the worker's thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised by the next `show` or `close`
            self._error = error

    def _work(self) -> None:
        wait_s = 0.0
        while not self._closed_within(wait_s):
            started = False
            try:
                self._address.probe()
                self._stream = stream = Publishing(self._address)
                # Taken now: what waits is the newest there is.
                item = self._take()
                if item is not None:
                    stream.start(*item)
                    started = True
                    self._sent += 1
                self._send_all(stream)
            except LostError as error:
                if not self._sent:
                    raise DisplayError(
                        "the server does not take the stream: {}".format(error),
                        where=self.target,
                        hint="check the application and the key",
                    ) from None
                if started:
                    self._lost += 1
                    self._reason = str(error)
                wait_s = _FIRST_WAIT_S if started else min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                return

    def _send_all(self, stream: Publishing) -> None:
        while True:
            item = self._take()
            if item is None:
                stream.end()
                return
            stream.send(*item)
            self._sent += 1

    def _closed_within(self, seconds: float) -> bool:
        """Whether the end comes while a lost server is waited for."""
        with self._changed:
            return seconds > 0 and self._changed.wait_for(lambda: self._closing, seconds)

    def _take(self) -> Optional[_Item]:
        """The oldest waiting frame, when there is one; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or bool(self._waiting))
            return self._waiting.popleft() if self._waiting else None
