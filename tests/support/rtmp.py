"""A real RTMP server (nginx with Debian's RTMP module) on loopback that records what it gets."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from support.servers import wait_for_port

_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
_CONFIG = """
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        application live {{
            live on;
            record all;
            record_path {folder}/recorded;
            record_suffix -%s.flv;
            record_unique on;
        }}
    }}
}}
"""
_START_S = 10.0


class RtmpServer:
    """Application `live` takes any key; every connection is recorded as a file of its own."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None or not _MODULE.exists():
            pytest.skip(
                "NOT CHECKED: RTMP against a real server. No nginx with its RTMP module here: "
                "`apt-get install nginx libnginx-mod-rtmp` brings it"
            )
        self.port = _free_port()
        self.folder = folder
        (folder / "recorded").mkdir()
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(module=_MODULE, folder=folder, port=self.port))
        self._command = [
            program, "-p", str(folder), "-c", str(config), "-e", f"{folder}/error.log",
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, key: str, application: str = "live") -> str:
        return f"rtmp://127.0.0.1:{self.port}/{application}/{key}"

    def start(self) -> None:
        """Returns when it takes connections."""
        self._process = subprocess.Popen(self._command)
        wait_for_port(self._process, self.port, self.log, _START_S)

    def stop(self) -> None:
        """Killed: no goodbye on any connection. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def recordings(self) -> list[Path]:
        """In the order of their connections."""
        return sorted(self.folder.glob("recorded/*.flv"), key=lambda path: path.stat().st_mtime_ns)

    def log(self) -> str:
        return (self.folder / "error.log").read_text()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
