"""An interpreter is one that starts and says that it is of the version asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.interpreters import find_python

search = find_python.__wrapped__  # without its cache


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")
    script(tmp_path / "shims" / "python3.7", "echo 'pyenv: command not found' >&2; exit 127")
    script(tmp_path / "bin" / "python3.7", "echo 3.12.1 /elsewhere/python3.12")
    return tmp_path / "home"


@pytest.mark.usefixtures("home")
def test_a_dead_shim_and_another_version_are_no_interpreter() -> None:
    assert search("3.7") is None


def test_the_newest_of_pyenv_is_found_behind_a_dead_shim(home: Path) -> None:
    for release in ("3.7.1", "3.7.4"):
        path = home / ".pyenv" / "versions" / release / "bin" / "python3.7"
        script(path, f"echo {release} {path}")
    assert search("3.7") == home / ".pyenv" / "versions" / "3.7.4" / "bin" / "python3.7"


def test_a_real_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / f"python{version}").symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert search(version) == tmp_path / f"python{version}"
