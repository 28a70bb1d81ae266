"""The command line as a user types it: in this process, or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
from support.interpreters import clean_environment

from npukit_cli.main import invoke

NPUKIT = Path(sys.executable).with_name("npukit")
# What makes a program print colours into a pipe, or print at once instead of at its end.
_UNUSUAL = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS", "PYTHONUNBUFFERED")


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Said]


@pytest.fixture
def npukit(capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command line in this process."""

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = invoke([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def plain() -> dict[str, str]:
    """The environment of somebody's ordinary shell."""
    return {key: text for key, text in clean_environment().items() if key not in _UNUSUAL}


@pytest.fixture(scope="session")
def console(plain: dict[str, str]) -> Command:
    """Start the console script, its output into pipes."""

    def call(*arguments: object, **environment: str) -> Said:
        done = subprocess.run(
            [NPUKIT, *map(str, arguments)],
            env={**plain, **environment},
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=120,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in; log files of bugs go to its `tmp`."""
    (tmp_path / "work").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "work"


@pytest.fixture(scope="session")
def frames_of() -> Callable[[str | os.PathLike[str]], int]:
    """Decode a video and count."""

    def count(path: str | os.PathLike[str]) -> int:
        with av.open(os.fspath(path)) as container:
            return sum(1 for _ in container.decode(video=0))

    return count
