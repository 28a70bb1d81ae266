"""Boards to install on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.onboard import LocalBoard, Refused


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBoard]:
    """A board without a network."""
    monkeypatch.setenv("NPUKIT_VIRTUAL_BOARD", "1")  # leaves the user's crontab alone
    local = LocalBoard(tmp_path / "root")
    yield local
    with contextlib.suppress(Refused):
        local.stop()
