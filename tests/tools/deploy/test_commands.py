"""`npukit flash` and `npukit board`, against a virtual board of its own process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.interpreters import clean_environment

from npukit_cli.commands.board import app
from npukit_cli.deploy.onboard.layout import BoardPlace
from npukit_cli.main import invoke

NPUKIT = Path(sys.executable).with_name("npukit")


class Said(NamedTuple):
    """What a command wrote."""

    stdout: str
    stderr: str


Command = Callable[..., Said]
SKILL = Path(__file__).parents[2] / "data" / "deploy" / "passing"
COMMANDS = [str(command.name) for command in app.registered_commands]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    unusual = ("FORCE_COLOR", "PY_COLORS", "SSH_AUTH_SOCK")
    kept = {key: text for key, text in clean_environment().items() if key not in unusual}
    return {**kept, "HOME": str(home)}


@pytest.fixture(scope="module")
def simulated(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What `npukit board simulate` says of itself; it runs meanwhile."""
    folder = tmp_path_factory.mktemp("board")
    with subprocess.Popen(
        [NPUKIT, "board", "simulate", str(folder), "--port", "0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    for place in BoardPlace(str(folder / "npukit")).installed():
        assert not place.supervisor.is_held()  # switched off with the board


@pytest.fixture(scope="module")
def reach(simulated: dict[str, str]) -> list[str]:
    """The options that lead to the board."""
    return ["--to", simulated["address"], "--identity", simulated["identity"],
            "--host-key", simulated["host_key"]]  # fmt: skip


@pytest.fixture
def npukit(
    environment: dict[str, str],
    reach: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """The command line, without the time that a new Python takes to import it."""
    for name in os.environ:
        if name not in environment:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", environment["HOME"])

    def call(*words: str, code: int = 0) -> Said:
        capsys.readouterr()
        returned = invoke([*words, *reach])
        said = Said(*capsys.readouterr())
        assert returned == code, said.stdout + said.stderr
        return said

    return call


def answer(done: Said) -> Any:
    (only,) = json.loads(done.stdout)
    assert only["error"] is None
    return only["answer"]


def test_the_whole_way(
    npukit: Command, reach: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [NPUKIT, "flash", SKILL, *reach],
        env=environment, capture_output=True, encoding="utf-8", check=True, timeout=120,
    )  # fmt: skip
    assert "(virtual simulator): passing" in done.stdout
    status = npukit("board", "status")
    assert "virtual board (simulator, simulated NPU)" in status.stdout
    shown = answer(npukit("board", "status", "--json"))["skills"][0]
    assert shown["running"]
    assert shown["frames"] >= 10
    assert re.search(r"npukit: frames: \d+", npukit("board", "logs").stdout)

    broken = tmp_path / "broken"
    shutil.copytree(SKILL, broken)
    (broken / "main.py").write_text("raise RuntimeError('on purpose')\n")
    (told,) = json.loads(npukit("flash", str(broken), "--json", code=1).stdout)
    assert (told["state"], told["error"]["kind"]) == ("failed", "unhealthy")
    assert "RuntimeError: on purpose" in told["error"]["log"]
    failed = npukit("flash", str(broken), code=1)
    assert "RuntimeError: on purpose; release" in failed.stderr
    assert "Traceback" in failed.stderr  # the end of the log
    assert answer(npukit("board", "status", "--json"))["skills"][0]["release"] == shown["release"]

    npukit("board", "stop")
    assert answer(npukit("board", "status", "--json"))["skills"][0]["state"] == "stopped"
    npukit("board", "start")
    npukit("board", "restart")
    assert "current" in npukit("board", "list").stdout
    assert "to go back to" in npukit("board", "rollback", code=1).stderr
    (refused,) = json.loads(npukit("board", "rollback", "--json", code=1).stdout)
    assert "to go back to" in refused["error"]["message"]
    npukit("board", "remove", "--purge")
    assert answer(npukit("board", "list", "--json")) == []


def test_the_exit_code_of_the_skill_arrives(npukit: Command, tmp_path: Path) -> None:
    folder = tmp_path / "ending"
    shutil.copytree(SKILL, folder)
    main = folder / "main.py"
    # Five times it shows its frames and then crashes: given up, with the last exit code.
    main.write_text(
        main.read_text() + "\n    import time\n    time.sleep(0.3)\n    raise SystemExit(7)\n"
    )
    npukit("flash", str(folder), "-c", "pattern:64x64,frames=20", "-d", "null")
    followed = npukit("board", "logs", "--follow", code=7)
    assert "given up" in followed.stdout
    (status,) = answer(npukit("board", "status", "--json"))["skills"]
    assert (status["state"], status["exit_code"]) == ("crash loop", 7)
    npukit("board", "remove")


def test_several_boards_and_one_that_is_dead(
    npukit: Command, simulated: dict[str, str], tmp_path: Path
) -> None:
    boards = tmp_path / "boards.yaml"
    boards.write_text("- {to: 'nobody@127.0.0.1:9', parameters: {mirror: true}}\n")
    words = ("-c", "pattern:64x64,frames=1000", "-d", "null", "--boards", str(boards))
    done = npukit("flash", str(SKILL), *words, "--stop-after", "1", "--json", code=1)
    good, dead = sorted(json.loads(done.stdout), key=lambda item: item["state"])
    assert (good["to"], good["state"]) == (simulated["address"], "done")
    assert (dead["state"], dead["error"]["type"]) == ("failed", "ConnectionFailed")
    table = npukit("flash", str(SKILL), *words, "--stop-after", "1", code=1).stdout
    assert "no connection" in table
    assert "done" in table
    npukit("board", "remove")


@pytest.mark.parametrize("command", ["status", "logs", "start", "rollback"])
def test_a_board_must_be_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["board", command]) == 1
    assert "which board?" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert invoke(["board", command, "--help"]) == 0
    said = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    assert f"Example: npukit board {command} " in said
    assert "--json" in said


def test_the_commands() -> None:
    assert COMMANDS == [
        "status", "list", "start", "stop", "restart", "rollback", "remove", "logs", "simulate",
    ]  # fmt: skip
    assert os.access(NPUKIT, os.X_OK)
