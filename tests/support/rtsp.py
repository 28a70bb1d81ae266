"""Start, pause and kill a real RTSP server on loopback, and what it needs to be installed."""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import av
import pytest

from npukit.capture import open_source

FPS = 25
PYTHON = "/usr/bin/python3"  # Debian's own: GStreamer's bindings are built for it
SCRIPT = Path(__file__).with_name("rtsp_server.py")
MISSING = (
    "NOT TESTED: RTSP, because no RTSP server is installed here. On Debian, as root: "
    "bash .ci/install-test-servers (gir1.2-gst-rtsp-server-1.0 python3-gi "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)"
)
_PROBE = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
names = "qtdemux", "h264parse", "rtph264pay", "rtpL16pay", "audiotestsrc"
raise SystemExit(not all(Gst.ElementFactory.find(name) for name in names))
"""


def write_clip(path: Path, width: int, height: int, frames: int) -> Path:
    """A clip as cameras send them: a key frame a second, none that refer to later ones."""
    source = open_source(f"pattern:{width}x{height},fps={FPS},frames={frames}")
    options = {"crf": "12", "preset": "veryfast", "g": str(FPS), "bf": "0"}
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 1, 6
        for captured in source.frames():
            i420 = captured.frame.to_i420()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(i420, "yuv420p")))
        container.mux(stream.encode(None))
    return path


@functools.cache
def installed() -> bool:
    """Whether the server can be started here."""
    try:
        done = subprocess.run([PYTHON, "-c", _PROBE], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


@dataclass
class RtspServer:
    """The server of `rtsp_server.py`; it can be killed and started again at the same port."""

    clip: Path
    method: str = ""
    user: str = ""
    password: str = ""
    port: int = 0
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    _listener: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> None:
        command = [PYTHON, str(SCRIPT), "--port", str(self.port), "--clip", str(self.clip)]
        if self.method:
            command += ["--method", self.method, "--user", self.user, "--password", self.password]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        word, _, port = self.process.stdout.readline().partition(" ")
        assert word == "ready", "the RTSP server did not start"
        self.port = int(port)
        self._listener = threading.Thread(target=self._listen, args=(self.process.stdout,))
        self._listener.start()

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()
            self.process = None
            self._listener.join()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def uri(self, path: str = "/clip", options: str = "", password: str | None = None) -> str:
        words = (self.user, self.password if password is None else password)
        userinfo = ":".join(quote(word, safe="") for word in words) + "@" if self.user else ""
        return f"rtsp://{userinfo}127.0.0.1:{self.port}{path}" + (options and "#" + options)

    def _listen(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line.strip())


@contextlib.contextmanager
def serving(server: RtspServer) -> Iterator[RtspServer]:
    """A started server, killed at the end."""
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def served_pattern(folder: Path) -> Iterator[str]:
    """What to write behind `rtsp:` for a stream of the pattern; skips where there is no server."""
    if not installed():
        pytest.skip(MISSING)
    clip = write_clip(folder / "served.mp4", 96, 64, 10 * FPS)
    with serving(RtspServer(clip)) as server:
        yield server.uri().partition(":")[2]
