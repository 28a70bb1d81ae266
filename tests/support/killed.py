"""A process that is killed while it writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import sys, time
from npukit.capture import open_source
from npukit.display import open_sink
sink = open_sink(sys.argv[1])
for captured in open_source("pattern:320x240,frames=150").frames():
    sink.show(captured.frame, captured.time_s)
print("shown", flush=True)
time.sleep(600)
"""


def show_and_be_killed(file: Path) -> None:
    """Show 150 numbered frames to a sink for `file` in a process, and kill it before it ends."""
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, file], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"shown\n"
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL
