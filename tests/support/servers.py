"""What tests that start a server have in common."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_for_port(
    process: subprocess.Popen[Any], port: int, log: Callable[[], str], seconds: float
) -> None:
    """Returns when a server on this machine takes connections; fails with its log."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            assert time.monotonic() < deadline, log()
            assert process.poll() is None, log()
            time.sleep(0.02)
        else:
            return
