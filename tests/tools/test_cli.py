"""What holds for every command: help, speed, exit codes, JSON, pipes, completion."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npukit.capture.pattern import PatternSource
from npukit_cli import checkup, profiles_view
from npukit_cli.main import app, invoke

COMMANDS = [str(command.name) for command in app.registered_commands]
GROUPS = [str(group.name) for group in app.registered_groups]
HEAVY = {"numpy", "cv2", "onnxruntime", "av", "torch", "onnx", "yaml", "safetensors"}
LOADED = f"print(*sorted({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
SHORT_RUN = ("run", "portrait_matting", "-c", "pattern:320x240,frames=2", "-d", "null")
Command = Callable[..., Any]


def words(text: str) -> str:
    """Without the frames and line breaks that the help is drawn with."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def test_the_commands_of_this_version() -> None:
    assert COMMANDS == [
        "convert", "run", "new", "bundle", "flash", "inspect", "bench", "compare", "lint",
        "estimate", "targets", "doctor",
    ]  # fmt: skip
    assert GROUPS == ["board"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_of_the_command(npukit: Command, command: str) -> None:
    said = npukit(command, "--help")
    assert said.code == 0
    assert f"Example: npukit {command} " in words(said.out)
    assert "--json" in said.out
    assert said.err == ""


def test_the_options_of_the_examples_exist(npukit: Command) -> None:
    for command in COMMANDS:
        text = words(npukit(command, "--help").out)
        example, _, options = text.partition("Example: ")[2].partition("Arguments ")
        for option in re.findall(r"--[a-z]+", example.partition("Options ")[0]):
            assert option in (options or example.partition("Options ")[2]), (command, option)


@pytest.mark.parametrize("arguments", [(), ("--help",)], ids=["nothing", "help"])
def test_help_of_all_names_every_command(npukit: Command, arguments: tuple[str, ...]) -> None:
    said = npukit(*arguments)
    assert said.code == 0
    assert said.err == ""
    for command in [*COMMANDS, *GROUPS]:
        assert re.search(rf"^│ {command} +[A-Z]", said.out, re.MULTILINE), command


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_takes_less_than_half_a_second(console: Command, command: str | None) -> None:
    """In processor time, so that whatever else keeps the machine busy does not count."""
    times = []
    while len(times) < 5 and min(times, default=1.0) >= 0.5:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert console(*filter(None, (command, "--help"))).code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_help_loads_nothing_heavy(plain: dict[str, str], command: str | None) -> None:
    arguments = [*filter(None, (command, "--help"))]
    code = f"import sys; from npukit_cli.main import invoke; invoke({arguments}); {LOADED}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=plain, capture_output=True, check=True, encoding="utf-8"
    )
    assert "Usage: " in done.stdout
    assert done.stderr.strip() == ""


# --- exit codes and errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "next_step"),
    [
        (("rum",), "No such command 'rum'. Did you mean 'run'?", "see npukit --help"),
        (("--frob",), "No such option: --frob", "see npukit --help"),
        (("targets", "--frob"), "No such option: --frob", "see npukit targets --help"),
        (("bench",), "Missing argument 'skill'.", "see npukit bench --help"),
        (("doctor", "me"), "Got unexpected extra argument", "see npukit doctor --help"),
        (("board", "frob"), "No such command 'frob'.", "see npukit board --help"),
        (("board", "logs", "--frob"), "No such option: --frob", "see npukit board logs --help"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_a_wrong_command_line_is_exit_code_1(
    npukit: Command, arguments: tuple[str, ...], message: str, next_step: str, as_json: bool
) -> None:
    said = npukit(*arguments, *["--json"] * as_json)
    assert said.code == 1
    assert said.err.startswith(f"error: {message}")
    assert said.err.endswith(f"\n  next: {next_step}\n")
    if as_json:
        assert said.json["error"]["message"].startswith(message)
        assert said.json["error"]["next"] == next_step


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_a_bug_is_exit_code_2_and_leaves_a_log(
    npukit: Command, here: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("[red]broken[/] on purpose")

    monkeypatch.setattr(profiles_view, "show_all", broken)
    said = npukit("targets", *["--json"] * as_json)
    assert said.code == 2
    (log,) = (here.parent / "tmp").iterdir()
    assert re.fullmatch(r"npukit-\w+\.log", log.name)
    text = log.read_text("utf-8")
    assert "Traceback (most recent call last)" in text
    assert "in broken" in text
    assert "ZeroDivisionError: [red]broken[/] on purpose" in text
    assert f"arguments: {['targets', *['--json'] * as_json]}" in text
    assert "a bug in npukit: ZeroDivisionError: [red]broken[/] on purpose" in said.err
    assert f"where: {log}" in said.err
    if as_json:
        assert said.json["error"]["where"] == str(log)


def test_ctrl_c_is_exit_code_130(npukit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkup, "checks", interrupted)
    said = npukit("doctor")
    assert (said.code, said.out, said.err) == (130, "", "interrupted\n")


def test_the_process_ends_with_the_same_codes(console: Command) -> None:
    assert console("targets").code == 0
    assert console("targets", "nowhere").code == 1


def test_python_m_is_the_same_command(plain: dict[str, str], console: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npukit_cli", "targets", "--json"],
        env=plain, capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout == console("targets", "--json").out


# --- pipes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("targets",), ("targets", "nowhere"), ("doctor",), SHORT_RUN, (*SHORT_RUN, "-x")],
    ids=" ".join,
)
def test_no_colours_and_no_progress_in_a_pipe(console: Command, arguments: tuple[str, ...]) -> None:
    said = console(*arguments, TERM="xterm-256color")
    assert said.out or said.err
    for text in (said.out, said.err):
        assert "\x1b" not in text
        assert "\r" not in text
    if said.code == 0:
        assert said.err == ""


@pytest.mark.parametrize("arguments", [SHORT_RUN, ("bench", *SHORT_RUN[1:4], "--rounds", "1")])
@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_a_progress_bar_for_a_person_alone(
    plain: dict[str, str], arguments: tuple[str, ...], as_json: bool
) -> None:
    screen, stderr = pty.openpty()
    done = subprocess.run(
        [Path(sys.executable).with_name("npukit"), *arguments, *["--json"] * as_json],
        env={**plain, "TERM": "xterm"},
        stdout=subprocess.PIPE, stderr=stderr, check=True, encoding="utf-8",
    )  # fmt: skip
    os.set_blocking(screen, False)
    try:
        drawn = os.read(screen, 65536)
    except BlockingIOError:  # nothing was drawn
        drawn = b""
    finally:
        os.close(stderr)
        os.close(screen)
    assert bool(drawn) is not as_json
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "unbuffered"),
    [
        (("--help",), ""),
        (("targets",), ""),
        (("targets", "--json"), ""),
        (("targets", "hilens_kit", "--json"), ""),
        (("targets", "nowhere", "--json"), ""),
        (("targets", "nowhere", "--json"), "1"),
        ((*SHORT_RUN, "--json"), ""),
        ((*SHORT_RUN, "--json"), "1"),
    ],
)
def test_a_reader_that_has_gone_is_no_bug(
    plain: dict[str, str], arguments: tuple[str, ...], unbuffered: str
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [Path(sys.executable).with_name("npukit"), *arguments],
            env={**plain, "PYTHONUNBUFFERED": unbuffered},
            stdout=writing, stderr=subprocess.PIPE, check=False, encoding="utf-8",
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("command", ["run", "bench"])
def test_json_is_whole_whatever_happens(
    npukit: Command, here: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def broken(source: PatternSource) -> None:
        raise OSError("the camera was pulled out")

    monkeypatch.setattr(PatternSource, "frames", broken)
    said = npukit(command, "portrait_matting", "-c", "pattern:320x240,frames=2", "--json")
    assert said.code == 2
    assert "the camera was pulled out" in json.dumps(said.json)


# --- completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script(console: Command, shell: str) -> None:
    said = console("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert said.code == 0
    assert "_NPUKIT_COMPLETE" in said.out
    assert f"complete_{shell}" in said.out


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("npukit ru", {"run"}),
        ("npukit ", {*COMMANDS, *GROUPS}),
        ("npukit run ", {"portrait_matting"}),
        ("npukit run port", {"portrait_matting"}),
        ("npukit bench port", {"portrait_matting"}),
        ("npukit run portrait_matting --dis", {"--display"}),
        ("npukit targets hi", {"hilens_kit"}),
        ("npukit targets asc", {"ascend310", "ascend310b"}),
        ("npukit run nothing_like_it", set()),
    ],
)
def test_what_bash_completes(console: Command, line: str, completed: set[str]) -> None:
    said = console(
        _NPUKIT_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1)
    )
    assert set(said.out.split()) == completed
    assert said.err == ""


def test_completing_a_skill_loads_nothing_heavy(plain: dict[str, str]) -> None:
    code = (
        "import sys, contextlib; from npukit_cli.main import app\n"
        f"with contextlib.suppress(SystemExit): app(prog_name='npukit')\n{LOADED}"
    )
    words_so_far = {"COMP_WORDS": "npukit run po", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**plain, **words_so_far, "_NPUKIT_COMPLETE": "complete_bash"},
        capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.strip() == "portrait_matting"
    assert done.stderr.strip() == ""


def test_invoke_leaves_the_interpreter_running() -> None:
    assert invoke(["targets", "nowhere"]) == 1
