"""HiLens scripts: folders with a main.py in the vendor's API, and no manifest."""

from __future__ import annotations

import re
from pathlib import Path

from npukit.errors import ConfigError
from npukit.manifest import MANIFESTS, Manifest
from npukit.profiles import Board
from npukit.shipping import Shipped
from npukit_cli.deploy.collecting import File

ENTRY = "npukit_start.py"
_IMPORT = re.compile(r"^\s*(import|from)\s+hilens\b", re.MULTILINE)
_MODELS = ("*.om", "*.om.en")  # the latter as the vendor's console encrypts them
# What a network was made from is for the host.
_SOURCES = ("*.onnx", "*.prototxt", "*.caffemodel", "*.pb", "*.pt", "*.pth", "*.safetensors")
_BOARDS = ("simulator", "hilens_kit")
_VERSION = "0"  # a script has none; releases differ by their hash
_START = '''\
"""What the board starts: main.py, whose frames are counted."""

import sys

from {module} import run_on_board

if __name__ == "__main__":
    sys.exit(run_on_board(__file__, "main.py"))
'''


def is_script(folder: Path) -> bool:
    """Whether the folder holds a HiLens script, and no skill of npukit's own API."""
    main = folder / "main.py"
    if any((folder / name).is_file() for name in MANIFESTS) or not main.is_file():
        return False
    return bool(_IMPORT.search(main.read_text(encoding="utf-8", errors="replace")))


def manifest(folder: Path) -> Manifest:
    """What can be said of a script: its name is the folder's, its models are its .om files.

    Raises:
        ConfigError: the folder's name is no name for a skill.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name):
        raise ConfigError(
            f"{name!r} is no name for a skill",
            where=str(folder),
            hint="a script is called as its folder: letters, digits and _ . -",
        )
    models = {
        path.relative_to(folder).as_posix(): dict.fromkeys(
            ("simulator", "ascend310"), path.relative_to(folder).as_posix()
        )
        for pattern in _MODELS
        for path in sorted(folder.rglob(pattern))
    }
    return Manifest(
        folder=str(folder.resolve()),
        name=name,
        title=f"{name}, a HiLens script",
        version=_VERSION,
        entry="main.py",
        models=models,
        boards=_BOARDS,
        capture={},
        display={},
        parameters={},
        tensors={},
        bundle=Shipped(include=_MODELS, exclude=_SOURCES),
    )


def start_file(board: Board) -> File:
    """The program that runs the script: with the Kit's module, or the simulated one."""
    simulated = board.name == "simulator"
    module = "npukit_cli.hilens_compat.launch" if simulated else "npukit.hilens_script"
    return File(_START.format(module=module).encode())
