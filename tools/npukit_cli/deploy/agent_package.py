"""The on-board agent as one file: a zipapp whose bytes depend on its sources alone."""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

_SOURCES = Path(__file__).resolve().parent / "onboard"
_MAIN = "import sys\n\nfrom onboard.agent import main\n\nsys.exit(main(sys.argv[1:]))\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


class AgentFile(NamedTuple):
    """The program and its SHA-256."""

    data: bytes
    sha256: str


@functools.cache
def agent_file() -> AgentFile:
    """Pack it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        parts = {"__main__.py": _MAIN.encode()}
        for path in sorted(_SOURCES.glob("*.py")):
            parts[f"onboard/{path.name}"] = path.read_bytes()
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    data = packed.getvalue()
    return AgentFile(data, hashlib.sha256(data).hexdigest())
