"""The stand-in compiler, installed as a program."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

from support.interpreters import REPOSITORY

_SCRIPT = REPOSITORY / "tests" / "support" / "stand_in_compiler.py"


def install(folder: Path, *tools: str, **told: Any) -> Path:
    """Programs `tools` in a folder, by default both; see stand_in_compiler for `told`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"#!{sys.executable} -B\n" + _SCRIPT.read_text("utf-8")
    for tool in tools or ("omg", "atc"):
        (folder / tool).write_text(text, "utf-8")
        (folder / tool).chmod(0o755)
    if told:
        (folder / "stand_in.json").write_text(json.dumps(told), "utf-8")
    return folder


def flags_of(om: bytes) -> dict[str, str]:
    """What the stand-in was called with, from the file that it wrote."""
    assert om[:4] == b"IMOD"
    (length,) = struct.unpack_from("<I", om, 76)
    content = json.loads(om[256 : 256 + length])
    assert content["mark"] == "stand-in: nothing was compiled"
    flags: dict[str, str] = content["flags"]
    return flags
