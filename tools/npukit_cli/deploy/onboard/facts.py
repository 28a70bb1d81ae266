"""What a board is: its name, memory, disk, Python."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from typing import Any, Dict, Optional

from .files import read_json
from .layout import BoardPlace

BOARD_FILE = "board.json"  # in the root: says what cannot be found out
_HILENS = "/home/hilens/skillframework"


def facts(board: BoardPlace) -> Dict[str, Any]:
    """Name (None when nothing tells it), memory and disk in bytes, Python, machine."""
    said = read_json(os.path.join(board.root, BOARD_FILE))
    limit = said.get("memory")
    free, total = free_memory(), _meminfo("MemTotal")
    return {
        "board": said.get("board") or _detect(),
        "virtual": bool(said.get("virtual")),
        "memory": limit or total,
        "memory_free": min(free, limit) if free and limit else free,
        "disk_free": free_disk(board.root),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "host": platform.node(),
        "root": board.root,
    }


def free_disk(path: str) -> int:
    """Bytes that this user can still write."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def free_memory() -> Optional[int]:
    """Bytes that programs can still have."""
    return _meminfo("MemAvailable")


def memory_of(pid: Optional[int]) -> int:
    """Resident bytes of a process; 0 when it is gone."""
    try:
        with open("/proc/{}/statm".format(int(pid or 0))) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _meminfo(key: str) -> Optional[int]:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _detect() -> Optional[str]:
    if os.path.isdir(_HILENS):
        return "hilens_kit"
    program = shutil.which("npu-smi")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "info"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.decode("utf-8", "replace")
    if "310B" in said:
        return "orangepi_aipro"
    return "atlas_200dk" if "310" in said and "310P" not in said else None
