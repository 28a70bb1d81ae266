"""The heartbeat file, and the environment that a board starts a skill with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from npukit import heartbeat
from npukit.errors import ConfigError, NpukitError
from npukit.heartbeat import Heartbeat, from_environment
from npukit.session import Session, run_skill
from npukit.skill import load_skill

SKILL = Path(__file__).parents[2] / "skills" / "portrait_matting"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(heartbeat.time, "monotonic", clock)
    return clock


def test_it_is_written_once_a_second_at_most(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "beat.json"
    beat = Heartbeat(str(path))
    assert not path.exists()
    beat.loaded()
    seen = []
    for _ in range(100):
        clock.now += 0.04
        beat.frame()
        said = json.loads(path.read_text())
        if not seen or said != seen[-1]:
            seen.append(said)
    frames = [item["frames"] for item in seen]
    assert frames[:4] == [1, 4, 7, 10]  # at first every 0.1 s
    assert frames[-2:] == [74, 99]  # then every second
    assert seen[4]["fps"] == 0.0
    assert {item["fps"] for item in seen[5:]} == {25.0}
    beat.flush()
    assert json.loads(path.read_text())["frames"] == 100
    assert [item.name for item in tmp_path.iterdir()] == ["beat.json"]


def test_a_full_disk_ends_no_skill(tmp_path: Path) -> None:
    beat = Heartbeat(str(tmp_path / "gone" / "beat.json"))
    beat.loaded()
    beat.frame()
    beat.error("x")


def test_there_is_none_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPUKIT_HEARTBEAT", raising=False)
    assert from_environment() is None


def test_a_session_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beat.json"
    monkeypatch.setenv("NPUKIT_HEARTBEAT", str(path))
    seen: list[int] = []
    with Session(load_skill(str(SKILL))) as session:
        assert json.loads(path.read_text())["model_loaded"]
        report = session.run("pattern:64x64,frames=7", ["null"], lambda it: seen.append(it.index))
    said = json.loads(path.read_text())
    assert (said["frames"], said["last_error"], said["pid"]) == (7, None, os.getpid())
    assert len(seen) == report.frames_in == 7


def test_what_goes_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beat.json"
    monkeypatch.setenv("NPUKIT_HEARTBEAT", str(path))
    monkeypatch.setenv("NPUKIT_RUN", '{"capture": "nowhere.mp4", "displays": ["null"]}')
    with pytest.raises(NpukitError):
        run_skill(str(SKILL / "main.py"))
    assert "nowhere.mp4" in json.loads(path.read_text())["last_error"]


def test_the_board_says_how_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {
        "parameters": {"mirror": "true"}, "capture": "pattern:64x64,frames=3", "displays": ["null"],
    }  # fmt: skip
    monkeypatch.setenv("NPUKIT_RUN", json.dumps(asked))
    report = run_skill(str(SKILL / "main.py"), {"mirror": "false"})
    assert report.frames_out == {"null": 3}


@pytest.mark.parametrize("text", ["{", "[]", '{"camera": "x"}', '{"parameters": {"frob": 1}}'])
def test_a_wrong_environment_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUKIT_RUN", text)
    with pytest.raises(ConfigError):
        run_skill(str(SKILL / "main.py"))
