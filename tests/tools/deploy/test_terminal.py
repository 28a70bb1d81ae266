"""What a person at a terminal is asked and shown: on a pseudo-terminal, against a virtual board."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import asyncssh
import pytest
from support.interpreters import clean_environment

from npukit_cli.deploy.virtual_board import VirtualBoard

NPUKIT = Path(sys.executable).with_name("npukit")
SKILL = Path(__file__).parents[2] / "data" / "deploy" / "passing"
TYPED = "open sesame"
LIMIT_S = 120.0


def at_terminal(
    words: Sequence[str], home: Path, answers: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """Run npukit with a terminal of its own.

    Args:
        words: of the command line.
        home: the user's folder.
        answers: what is typed once the screen shows the first part, in order.

    Returns:
        The exit code, and all that was written, control sequences taken out.
    """
    master, slave = pty.openpty()
    unusual = ("FORCE_COLOR", "PY_COLORS", "SSH_AUTH_SOCK", "NO_COLOR")
    kept = {key: text for key, text in clean_environment().items() if key not in unusual}
    process = subprocess.Popen(
        [NPUKIT, *words],
        env={**kept, "HOME": str(home), "TERM": "xterm", "COLUMNS": "160"},
        preexec_fn=lambda: os.login_tty(slave),
    )
    os.close(slave)
    seen, left, deadline = b"", list(answers), time.monotonic() + LIMIT_S
    asked = 0
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                seen += os.read(master, 1 << 16)
            except OSError:  # the terminal's other end is closed
                break
        if left and (found := re.search(left[0][0].encode(), seen[asked:])):
            asked += found.end()
            os.write(master, left.pop(0)[1].encode() + b"\n")
    os.close(master)
    code = process.wait(10)
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode("utf-8", "replace"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With a key that has a passphrase."""
    (tmp_path / "home").mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "home" / "key").touch(mode=0o600)
    (tmp_path / "home" / "key").write_bytes(key.export_private_key("openssh", TYPED))
    (tmp_path / "home" / "key.pub").write_bytes(key.export_public_key("openssh"))
    return tmp_path / "home"


def test_a_first_flash_with_a_locked_key(home: Path, tmp_path: Path) -> None:
    skill = tmp_path / "large"
    shutil.copytree(SKILL, skill)
    (skill / "noise").write_bytes(os.urandom(16 << 20))  # takes time enough for the bar to be seen
    with VirtualBoard(tmp_path / "board") as board:
        try:
            with (tmp_path / "board" / ".virtual_board" / "authorized_keys").open("ab") as keys:
                keys.write((home / "key.pub").read_bytes())
            reach = ["--to", board.address, "--identity", str(home / "key")]
            code, shown = at_terminal(
                ["flash", str(skill), *reach, "--sign", str(home / "key")],
                home,
                [("Is that the board's.*y/N", "y"), ("Passphrase of", TYPED),
                 ("Enter passphrase", TYPED)],
            )  # fmt: skip
            assert code == 0, shown
            assert board.fingerprint in shown
            assert re.search(r"sending .*/\d+\.\d [kM]B +[\d.?]+", shown)  # a bar with its rate
            assert re.search(r"waiting for frames: \d+ of 10", shown)
            assert re.search(r"passing 1\.0\.0 runs, \d+ frames seen", shown)
            # Questions stand alone in their line: no bar is drawn over them.
            for question in ("Is that the board's", "Passphrase of", "Enter passphrase"):
                (line,) = (line for line in shown.split("\r\n") if question in line)
                assert "connecting" not in line.partition(question)[2]
                assert "packing" not in line.partition(question)[2]
            code, shown = at_terminal(
                ["board", "status", *reach], home, [("Passphrase of", "something else")]
            )
            assert code == 1
            assert "the passphrase of" in shown
        finally:
            board.stop_skills()
