"""The process behind the RTMP sink: one connection, encoded and sent with PyAV.

PyAV connects an output without a time-out and without letting other threads run, so a server that
does not answer would stop the whole program. Here it stops this process, which is then killed.
"""

from __future__ import annotations

import signal
from fractions import Fraction
from typing import IO, Any

import av
import av.error

from npukit.display._encoder import Encoder
from npukit.display._process import DONE, ERROR, READY, TAKEN, answer, frames, read_settings
from npukit.errors import DisplayError

_OPTIONS = {
    "preset": "veryfast",
    "tune": "zerolatency",
    "bf": "0",
    "g": "60",  # frames from one key frame to the next: who joins waits no longer
    "crf": "23",
    "maxrate": "6M",
    "bufsize": "6M",
}
_CONTAINER = {"flush_packets": "1", "flvflags": "no_duration_filesize"}
_MILLISECONDS = Fraction(1000)  # FLV counts in them
_RATE = Fraction(30)
# Source: HiLens framework 1.1.0, rtmp_publisher.cpp: so many frames that cannot be sent are taken
# for a lost connection.
_MOST_ERRORS = 10
_STUCK_S = 20  # longer than the parent waits: it must have died


def main() -> None:
    """Send frames until the parent closes the pipe or the connection is lost."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the parent
    try:
        with open(0, "rb", buffering=0) as stream:
            url = read_settings(stream)["url"]
            answer(READY)
            _publish(url, stream)
    except DisplayError as error:
        answer("{} {}".format(ERROR, error.message))
    except (av.error.FFmpegError, OSError) as error:
        # Its full text names the address, with the key.
        answer("{} {}".format(ERROR, error.strerror or type(error).__name__))


def _publish(url: str, stream: IO[bytes]) -> None:
    container: Any = None
    errors, began_s = 0, 0.0
    for frame, time_s in frames(stream):
        signal.alarm(_STUCK_S)  # ends this process, whatever FFmpeg is waiting for
        if container is None:
            container = av.open(url, "w", format="flv", options=_CONTAINER)
            encoder = Encoder(container, frame, _OPTIONS, _MILLISECONDS, _RATE)
            container.start_encoding()
            began_s = time_s
            answer(TAKEN)
        try:
            encoder.put(frame, time_s - began_s)
            errors = 0
        except (av.error.FFmpegError, OSError):
            errors += 1
            if errors == _MOST_ERRORS:
                raise
        signal.alarm(0)
    if container is not None:
        signal.alarm(_STUCK_S)
        encoder.finish()
        container.close()
    answer(DONE)


if __name__ == "__main__":
    main()
