"""The agent is killed before every single change it makes; the board runs the old or the new."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.onboard import LocalBoard, Refused, bundle

from npukit_cli.deploy.onboard.reports import status_of

DIE_AT = Path(__file__).parents[2] / "support" / "die_at.py"
WORKERS = 4  # most of the time is waiting for processes


def session(board: LocalBoard, at: int, op: str, arguments: dict[str, Any]) -> Any:
    """One operation by an agent that dies before its change number `at`."""
    command = board.command("serve")
    command[1:2] = ["-B", str(DIE_AT), str(at)]
    asked = json.dumps({"id": 1, "op": op, **arguments}).encode() + b"\n"
    return subprocess.run(command, input=asked, capture_output=True, check=False, timeout=60)


def pull_the_plug(board: LocalBoard) -> None:
    """Kill what still runs: the supervisor, and with it the skill."""
    if board.supervised():
        with contextlib.suppress(ProcessLookupError):
            state = json.loads((board.folder / "run" / "state.json").read_text())
            os.kill(state["supervisor"], signal.SIGKILL)


def check(board: LocalBoard, booted: bool = False) -> str:
    """The board is whole; the version that runs, as the running process says."""
    place = board.place()
    # The next command recovers, unless the boot already did.
    status = status_of(place) if booted else board.status()
    assert not Path(place.journal).exists()
    assert status["running"]
    version = board.beating_version()
    assert version == status["version"] == place.facts(str(place.release()))["version"]
    for release in place.list():
        assert Path(place.path(release), "main.py").is_file()
    return version


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A board with 1.0 installed and 1.1 uploaded; nothing runs. And what `install` needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NPUKIT_VIRTUAL_BOARD", "1")  # leaves the user's crontab alone
        board = LocalBoard(tmp_path_factory.mktemp("template") / "root", compiled=True)
        board.install(bundle("1.0"))
        arguments = board.upload(bundle("1.1"))
        pull_the_plug(board)
        yield board.root, arguments


def booted(template: Path, root: Path) -> LocalBoard:
    shutil.copytree(template, root, symlinks=True)
    board = LocalBoard(root, compiled=True)
    subprocess.run(board.command("boot"), check=True, capture_output=True)
    return board


def steps_of(board: LocalBoard, op: str, arguments: dict[str, Any]) -> list[str]:
    """The names of all changes that the operation makes when nobody kills it."""
    done = session(board, 0, op, arguments)
    assert done.returncode == 0, done.stderr
    assert board.answer(done.stdout)
    pull_the_plug(board)
    return done.stderr.decode().split()


def killed_everywhere(
    template: Path, folder: Path, op: str, arguments: dict[str, Any], cut: str
) -> list[str]:
    """The version that runs after a kill before each step, and at last without one."""
    steps = steps_of(booted(template, folder / "counted"), op, arguments)

    def one(at: int) -> str:
        step = [*steps, "none"][at - 1]
        board = booted(template, folder / str(at))
        try:
            done = session(board, at, op, arguments)
            assert done.returncode == (0 if step == "none" else -signal.SIGKILL), done.stderr
            if cut == "the power":
                pull_the_plug(board)
                subprocess.run(board.command("boot"), check=True, capture_output=True)
            version = check(board, booted=cut == "the power")
            if at % 5 == 0:  # and the board can be flashed as if nothing had been
                board.install(bundle("1.2"))
                assert check(board) == "1.2"
                assert not list((board.folder / "releases").glob(".*"))
        except (AssertionError, Refused) as error:
            raise AssertionError(f"killed before change {at}, {step}: {error}") from error
        finally:
            pull_the_plug(board)
        return version

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, range(1, len(steps) + 2)))


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["the agent alone", "the power"])
def test_an_installation(template: tuple[Path, dict[str, Any]], tmp_path: Path, cut: str) -> None:
    ended = killed_everywhere(template[0], tmp_path, "install", template[1], cut)
    turn = ended.index("1.1")
    assert turn >= 20
    assert set(ended[:turn]) == {"1.0"}
    assert set(ended[turn:]) == {"1.1"}  # from one step on the new one: never back and forth


@pytest.mark.slow
def test_a_recovery_is_itself_recovered(
    template: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The first kill is in the middle of a switch; the second before each step of the recovery."""
    board = booted(template[0], tmp_path / "first")
    steps = steps_of(booted(template[0], tmp_path / "counted"), "install", template[1])
    at = next(i for i, step in enumerate(steps, 1) if step.startswith("open:settings.json"))
    session(board, at, "install", template[1])
    pull_the_plug(board)
    assert (board.folder / "journal.json").exists()
    shutil.copytree(board.root, tmp_path / "counted2", symlinks=True)
    recovery = steps_of(LocalBoard(tmp_path / "counted2", compiled=True), "facts", {})
    assert len(recovery) >= 8
    for number in range(1, len(recovery) + 1):
        shutil.copytree(board.root, tmp_path / f"r{number}", symlinks=True)
        again = LocalBoard(tmp_path / f"r{number}", compiled=True)
        session(again, number, "facts", {})
        try:
            assert check(again) == "1.0", recovery[number - 1]
        finally:
            pull_the_plug(again)
