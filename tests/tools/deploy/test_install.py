"""Installing on a board: the agent in a process of its own, the skill in another."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.interpreters import find_python
from support.onboard import LocalBoard, Refused, bundle

from npukit_cli.deploy.pieces import cut


def test_a_first_installation_runs(board: LocalBoard) -> None:
    answer = board.install(bundle("1.0"))
    assert answer["frames"] >= 10
    assert board.running_version() == "1.0"
    status = board.status()
    assert status["state"] == "running"
    assert status["enabled"]
    assert (board.folder / "current" / "main.py").is_file()
    assert not (board.folder / "journal.json").exists()


def test_a_second_version_takes_over_and_can_be_rolled_back(board: LocalBoard) -> None:
    first = board.install(bundle("1.0"))["release"]
    assert board.install(bundle("1.1"))["previous"] == first
    assert board.running_version() == "1.1"
    board.ask("rollback", skill=None, limits={"frames": 5, "seconds": 10})
    assert board.running_version() == "1.0"


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("raise ValueError('no camera')", "exit code 1) after 0 of 10 frames: ValueError: no cam"),
        ("import os; os.kill(os.getpid(), 11)", "was killed (signal 11)"),
        ("tell(5); sys.exit(3)", "exit code 3) after 5 of 10 frames"),
        ("time.sleep(60)", "no sign of life in 1 s"),
        ("tell(4); time.sleep(60)", "processed 4 of 10 frames in 1 s"),
    ],
)
def test_a_version_that_does_not_work_is_rolled_back(
    board: LocalBoard, fault: str, cause: str
) -> None:
    first = board.install(bundle("1.0"))["release"]
    with pytest.raises(Refused) as refused:
        board.install(bundle("1.1", fault), limits={"frames": 10, "seconds": 1.0})
    assert cause in refused.value.error["message"]
    assert f"release {first} runs again" in refused.value.error["message"]
    assert refused.value.error["kind"] == "unhealthy"
    assert "version 1.1" in refused.value.error["log"]
    assert board.running_version() == "1.0"
    assert [item["release"] for item in board.ask("list")] == [first]


def test_a_first_installation_that_fails_leaves_nothing(board: LocalBoard) -> None:
    with pytest.raises(Refused, match="nothing was installed before"):
        board.install(bundle("1.0", "sys.exit(1)"))
    assert board.ask("list") == []
    assert not (board.folder / "current").is_symlink()


def test_a_stopped_skill_stays_stopped_when_the_new_one_fails(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    board.ask("stop", skill="counter")
    with pytest.raises(Refused, match="not running, as before"):
        board.install(bundle("1.1", "sys.exit(1)"))
    status = board.status()
    assert (status["running"], status["enabled"], status["version"]) == (False, False, "1.0")


def test_the_last_releases_are_kept_and_the_workspace_is_shared(board: LocalBoard) -> None:
    for number in range(5):
        mark = "open('mark', 'a').write('x')"
        board.install(bundle(f"1.{number}", mark), keep=2)
    assert [item["version"] for item in board.ask("list")] == ["1.4", "1.3"]
    assert (board.folder / "workspace" / "mark").read_text() == "xxxxx"


def test_the_same_bundle_again_is_the_same_release(board: LocalBoard) -> None:
    first = board.install(bundle("1.0"))["release"]
    assert board.install(bundle("1.0"))["release"] == first
    (board.folder / "current" / "main.py").write_text("raise SystemExit(1)")
    again = board.install(bundle("1.0"))["release"]  # somebody changed it on the board
    assert again == first + ".2"
    assert board.running_version() == "1.0"


def test_only_changed_files_travel(board: LocalBoard) -> None:
    model = {"model.om": bytes(range(256)) * 8000}
    board.install(bundle("1.0", files=model))
    pieces = cut(bundle("1.1", files=model))
    wanted = board.ask("missing", pieces=pieces.order, name="counter")
    assert 0 < sum(len(pieces.content[name]) for name in wanted) < 10_000


def test_a_tampered_bundle_is_refused_and_the_old_one_runs_on(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    tar = gzip.decompress(bundle("1.1"))
    forged = tar.replace(b"frames += 5", b"frames += 6")
    assert forged != tar
    with pytest.raises(Refused, match="SHA-256") as refused:
        board.install(gzip.compress(forged))
    assert refused.value.error["kind"] == "bundle"
    assert board.running_version() == "1.0"


def test_a_bundle_for_another_target_is_refused(board: LocalBoard) -> None:
    arguments = board.upload(bundle("1.0"))
    arguments["facts"]["target"] = "ascend310"
    with pytest.raises(Refused, match="is for target simulator, this is ascend310"):
        board.ask("install", **arguments)


@pytest.mark.parametrize(("need", "kind"), [("disk", "space"), ("memory", "memory")])
def test_room_is_checked_first(board: LocalBoard, need: str, kind: str) -> None:
    pieces = cut(bundle("1.0")).order
    with pytest.raises(Refused) as before:  # anything is sent
        board.ask("missing", pieces=pieces, name="counter", needs={need: 1 << 50})
    assert before.value.error["kind"] == kind
    with pytest.raises(Refused) as refused:
        board.install(bundle("1.0"), needs={need: 1 << 50})
    assert refused.value.error["kind"] == kind
    assert board.ask("list") == []
    assert not list((board.root / "incoming").iterdir())


def test_what_a_failed_installation_left_makes_room(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    before = set((board.root / "store").iterdir())
    board.upload(bundle("1.1", files={"big": bytes(range(256)) * 8000}))
    assert set((board.root / "store").iterdir()) > before
    with pytest.raises(Refused, match="MB free, the release needs"):
        board.ask("missing", pieces=[], name="counter", needs={"disk": 1 << 50})
    assert set((board.root / "store").iterdir()) == before
    assert not list((board.root / "incoming").iterdir())
    assert board.running_version() == "1.0"


def test_a_bundle_that_was_not_sent_cannot_be_installed(board: LocalBoard) -> None:
    arguments = board.upload(bundle("1.0"))
    with pytest.raises(Refused, match="not on the board"):
        board.ask("install", **{**arguments, "sha256": "0" * 64})


def test_a_piece_that_the_disk_damaged_is_sent_again(board: LocalBoard) -> None:
    arguments = board.upload(bundle("1.0"))
    piece = arguments["facts"]["pieces"][0]
    (board.root / "store" / piece).write_bytes(b"damaged")
    order = {"sha256": arguments["sha256"], "pieces": arguments["facts"]["pieces"]}
    assert board.ask("assemble", **order) == [piece]
    assert board.ask("missing", pieces=order["pieces"], name="counter") == [piece]
    board.upload(bundle("1.0"))
    assert board.ask("install", **arguments)["release"].startswith("1.0-")


def test_two_installations_at_once_are_refused(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    slow = board.upload(bundle("1.1", "time.sleep(60)"))
    order = json.dumps({"id": 1, "op": "install", **slow, "limits": {"frames": 1, "seconds": 4}})
    first = subprocess.Popen(board.command("serve"), stdin=-1, stdout=-1)
    assert first.stdin is not None
    first.stdin.write(order.encode() + b"\n")
    first.stdin.close()
    while not (board.folder / "journal.json").exists():
        time.sleep(0.02)
    assert board.ask("status")["installing"]
    with pytest.raises(Refused, match="another installation is under way") as refused:
        board.ask("stop", skill="counter")
    assert refused.value.error["kind"] == "busy"
    assert first.wait(30) == 0
    assert first.stdout is not None
    first.stdout.close()
    assert board.running_version() == "1.0"


def test_a_host_that_is_lost_during_the_installation_changes_nothing(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    order = json.dumps({"id": 1, "op": "install", **board.upload(bundle("1.1", "time.sleep(1)"))})
    agent = subprocess.Popen(board.command("serve"), stdin=-1, stdout=-1)
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(order.encode() + b"\n")
    agent.stdin.close()
    agent.stdout.close()  # what it says goes nowhere
    assert agent.wait(30) == 0
    assert board.running_version() == "1.1"
    assert not (board.folder / "journal.json").exists()


def test_the_skill_ends_with_its_supervisor(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    state = json.loads((board.folder / "run" / "state.json").read_text())
    os.kill(state["supervisor"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path("/proc", str(state["pid"])).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert board.status()["state"] == "cut off"
    assert board.ask("start")["running"]


def test_remove(board: LocalBoard) -> None:
    board.install(bundle("1.0"))
    (board.folder / "workspace" / "mine").write_text("x")
    assert board.ask("remove", skill="counter") == {"removed": "counter", "workspace_kept": True}
    assert board.ask("list") == []
    assert [path.name for path in board.folder.iterdir()] == ["workspace"]
    assert list((board.root / "store").iterdir()) == []


def test_logs(board: LocalBoard) -> None:
    board.install(bundle("1.0", "print('one'); print('two', flush=True)"))
    done = subprocess.run(
        board.command("serve"), capture_output=True, check=True,
        input=b'{"id":1,"op":"logs","skill":null,"lines":50,"follow":false}\n',
    )  # fmt: skip
    lines = [json.loads(line).get("event", {}) for line in done.stdout.splitlines()[1:-1]]
    text = [item["line"].partition(" ")[2] for item in lines if item and "line" in item]
    assert text[1:4] == ["version 1.0", "one", "two"]


def test_the_oldest_python_of_a_board(board: LocalBoard, tmp_path: Path) -> None:
    python = find_python("3.7")
    if python is None:
        pytest.skip("NOT CHECKED on Python 3.7: there is none on this machine")
    old = LocalBoard(tmp_path / "old", python)
    try:
        first = old.install(bundle("1.0"))["release"]
        with pytest.raises(Refused, match="ZeroDivisionError"):
            old.install(bundle("1.1", "1 / 0"))
        assert old.running_version() == "1.0"
        assert old.ask("facts")["python"].startswith("3.7.")
        assert old.ask("remove")["removed"] == "counter"
        assert first.startswith("1.0-")
    finally:
        old.stop()


SYSTEMCTL = """#!{python}
# A STAND-IN for systemd: starts what the unit says, stops it by SIGTERM, writes down what it did.
import os, shlex, signal, subprocess, sys, time
folder = {folder!r}
with open(folder + "/said", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] in ("start", "stop"):
    pid_file = folder + "/" + sys.argv[2] + ".pid"
if sys.argv[1] == "start":
    for line in open(folder + "/units/" + sys.argv[2]):
        if line.startswith("ExecStart="):
            command = shlex.split(line.partition("=")[2])
    none = subprocess.DEVNULL
    child = subprocess.Popen(command, stdin=none, stdout=none, stderr=none, start_new_session=True)
    open(pid_file, "w").write(str(child.pid))
elif sys.argv[1] == "stop":
    os.kill(int(open(pid_file).read()), signal.SIGTERM)
"""


def test_systemd_runs_the_same_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in: which calls are made, and that the unit's command does the work."""
    folder = tmp_path / "systemd"
    (folder / "units").mkdir(parents=True)
    program = folder / "systemctl"
    program.write_text(SYSTEMCTL.format(python=sys.executable, folder=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    board = LocalBoard(tmp_path / "root")
    driver = folder / "agent.py"
    driver.write_text(
        "import os, sys, runpy\n"
        f"sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0])\n"
        "from onboard import service\n"
        f"service.SYSTEMD, service.UNITS = {str(folder)!r}, {str(folder / 'units')!r}\n"
        "service.os.geteuid = lambda: 0\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    plain = board.command
    monkeypatch.setattr(
        board, "command", lambda mode: [*plain(mode)[:2], str(driver), *plain(mode)[2:]]
    )
    board.install(bundle("1.0"))
    with pytest.raises(Refused, match="runs again"):
        board.install(bundle("1.1", "sys.exit(1)"))
    assert board.running_version() == "1.0"
    board.ask("stop")
    assert not board.status()["running"]
    unit = "npukit-counter.service"
    said = (folder / "said").read_text().splitlines()
    assert said == [
        "daemon-reload", f"start {unit}", f"enable {unit}",  # 1.0
        f"stop {unit}", f"start {unit}", f"stop {unit}", f"start {unit}",  # 1.1, and back
        f"stop {unit}", f"disable {unit}",
    ]  # fmt: skip
    assert list((folder / "units").iterdir()) == []


CRONTAB = """#!/bin/sh
# A STAND-IN for cron's program: keeps the table in a file.
case "$1" in -l) cat {table} ;; -) cat > {table} ;; esac
"""


def test_without_systemd_a_line_of_the_crontab_boots(
    board: LocalBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "table"
    table.write_text("0 1 * * * mine\n")
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB.format(table=table))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("NPUKIT_VIRTUAL_BOARD")
    assert board.install(bundle("1.0"))["notices"] == []
    board.install(bundle("1.1"))
    mine, line = table.read_text().splitlines()
    assert mine == "0 1 * * * mine"
    schedule, _, command = line.partition(" ")
    assert schedule == "@reboot"
    os.kill(json.loads((board.folder / "run" / "state.json").read_text())["supervisor"], 9)
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - cron does
    assert board.running_version() == "1.1"
    board.ask("stop")
    assert table.read_text() == "0 1 * * * mine\n"
