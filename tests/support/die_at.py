"""Runs a program and kills it, without a warning, just before its N-th change to the system.

    python die_at.py N PROGRAM ARGUMENTS...

Python's audit events tell of every change to the disk and every start and signal of a process, so
the program needs no hook of its own. With N = 0 nothing is killed, and the changes are counted:
the last line of stderr is their names.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

CHANGES = {
    "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.kill", "os.killpg",
    "subprocess.Popen", "shutil.rmtree", "os.chmod", "os.truncate", "os.utime",
}  # fmt: skip


def main() -> None:
    at = int(sys.argv[1])
    seen: list[str] = []

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if event not in CHANGES and not writes:
            return
        if event == "open" and str(arguments[0]).endswith((".lock", "lock", "null")):
            return
        seen.append(f"{event}:{Path(str(arguments[0])).name}")
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.argv = sys.argv[2:]
    sys.addaudithook(hook)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        if not at:
            sys.stderr.write(" ".join(seen))


if __name__ == "__main__":
    main()
