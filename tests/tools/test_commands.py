"""`npukit bench`, `npukit doctor` and `npukit targets`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.camera import plugged_in

from npukit import __version__ as npukit_version
from npukit import profiles
from npukit.capture import SOURCES
from npukit.profiles import boards, load_board, load_target, targets
from npukit_cli import checkup

SHORT = ("bench", "portrait_matting", "--camera", "pattern:320x240,frames=4")
Command = Callable[..., Any]


# --- bench ---------------------------------------------------------------------------------------


def test_bench_gives_medians_of_the_rounds(npukit: Command, here: Path) -> None:
    said = npukit(*SHORT, "--rounds", "3", "--set", "crop=square", "--json")
    assert said.code == 0
    result = said.json
    assert result["skill"] == "portrait_matting"
    assert result["source"] == "pattern:320x240,frames=4"
    assert (result["frames"], result["rounds"], result["threads"]) == (4, 3, 1)
    assert result["fps"] > 0
    assert result["cpu_ms_per_frame"] > 0
    assert {"capture", "prepare", "infer", "composite"} <= result["stages"].keys()
    for timing in result["stages"].values():
        assert 0 < timing["p50_ms"] <= timing["p95_ms"] <= timing["p99_ms"]
    assert list(here.iterdir()) == [], "it writes nothing"


def test_bench_in_words(npukit: Command) -> None:
    said = npukit(*SHORT, "--rounds", "1")
    assert said.code == 0
    assert "medians of 1 rounds" in " ".join(said.out.split())
    assert "infer" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bench", "portrait_mating"), "no skill 'portrait_mating'"),
        (("bench", "portrait_matting", "-c", "absent.mp4"), "no such file or folder"),
        ((*SHORT, "--rounds", "0"), "Invalid value for '--rounds'"),
        ((*SHORT, "--set", "crop=round"), "'round' is not a choice"),
    ],
)
def test_bench_refuses(npukit: Command, arguments: tuple[str, ...], message: str) -> None:
    said = npukit(*arguments, "--json")
    assert said.code == 1
    assert message in said.json["error"]["message"]


@pytest.mark.parametrize("more", [(), ("--quality", "--truth", "exact.mp4")])
def test_bench_refuses_a_source_without_an_end(
    more: tuple[str, ...], npukit: Command, tmp_path: Path
) -> None:
    with plugged_in(tmp_path) as name:
        said = npukit("bench", "portrait_matting", "-c", "camera:" + name, *more, "--json")
    assert said.code == 1
    assert said.json["error"]["type"] == "ConfigError"
    assert "a live source has no end" in said.json["error"]["message"]
    assert "camera:0" in said.json["error"]["where"]
    assert "give a clip" in said.json["error"]["next"]


def test_run_names_the_live_sources_in_its_help(npukit: Command) -> None:
    said = npukit("run", "--help")
    assert said.code == 0
    for form in ("camera:0", "rtsp://HOST/PATH"):
        assert form in said.out


# --- doctor --------------------------------------------------------------------------------------


def states(said: Any) -> dict[str, str]:
    return {item["check"]: item["state"] for item in said.json["checks"]}


def test_doctor_finds_this_machine_sound(npukit: Command) -> None:
    said = npukit("doctor", "--json")
    assert said.code == 0
    assert said.json["healthy"] is True
    found = states(said)
    for check in ("Python", "numpy", "opencv-python", "runtime simulator", "source video",
                  "sink video", "skill portrait_matting"):  # fmt: skip
        assert found[check] == "ok", check
    for item in said.json["checks"]:
        assert item["found"]
        if item["state"] != "ok":
            assert item["action"], item


def test_doctor_in_words(npukit: Command) -> None:
    said = npukit("doctor")
    assert said.code == 0
    assert "what to do" in said.out
    assert "numpy" in said.out


@pytest.mark.parametrize(
    ("versions", "check", "action"),
    [
        ({"numpy": None}, "numpy", "pip install numpy"),
        ({"opencv-python": "5.0.0.1"}, "opencv-python", 'pip install "opencv-python>=4.10,<5"'),
    ],
)
def test_doctor_with_a_broken_package_is_exit_code_1(
    npukit: Command, monkeypatch: pytest.MonkeyPatch, versions: dict[str, Any], check: str,
    action: str,
) -> None:  # fmt: skip
    real = checkup._version
    monkeypatch.setattr(checkup, "_version", lambda name: versions.get(name, real(name)))
    said = npukit("doctor", "--json")
    assert said.code == 1
    assert said.json["healthy"] is False
    (broken,) = (item for item in said.json["checks"] if item["state"] == "broken")
    assert broken["check"] == check
    assert broken["action"] == action
    assert npukit("doctor").code == 1


def test_doctor_with_a_broken_skill_is_exit_code_1(
    npukit: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "skill.yaml").write_text("name: mine\n", "utf-8")
    monkeypatch.setattr(checkup, "bundled", lambda: ["mine"])
    monkeypatch.setattr(checkup, "bundled_root", lambda: tmp_path)
    said = npukit("doctor", "--json")
    assert said.code == 1
    (broken,) = (item for item in said.json["checks"] if item["state"] == "broken")
    assert broken["check"] == "skill mine"
    assert "is missing" in broken["found"]


def test_doctor_shows_why_a_plugin_cannot_be_used(
    npukit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCES, "failures", lambda: {"video": "No module named 'av'"})
    said = npukit("doctor", "--json")
    (video,) = (item for item in said.json["checks"] if item["check"] == "source video")
    assert video["state"] == "optional"
    assert video["found"] == "No module named 'av'"


def test_doctor_finds_a_vendor_compiler(npukit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(which={"atc": "/opt/ascend/atc"}.get)
    monkeypatch.setattr(checkup, "shutil", found)
    said = npukit("doctor", "--json")
    assert said.code == 0
    assert states(said)["compiler atc"] == "ok"
    assert states(said)["compiler omg"] == "optional"


# --- targets -------------------------------------------------------------------------------------


def test_targets_lists_all(npukit: Command) -> None:
    said = npukit("targets")
    assert said.code == 0
    for name in (*targets(), *boards()):
        assert name in said.out
    listed = npukit("targets", "--json").json
    assert [item["name"] for item in listed["targets"]] == list(targets())
    assert [item["name"] for item in listed["boards"]] == list(boards())


@pytest.mark.parametrize("name", sorted({*targets(), *boards()}))
def test_one_target_with_the_source_of_each_figure(npukit: Command, name: str) -> None:
    titles = {
        kind: load(name).title
        for kind, names, load in (
            ("target", targets(), load_target),
            ("board", boards(), load_board),
        )
        if name in names
    }
    said = npukit("targets", name)
    assert said.code == 0
    data = npukit("targets", name, "--json").json
    assert {kind: profile["title"] for kind, profile in data.items()} == titles
    assert all(f"({kind} {name})" in said.out for kind in titles)
    figures = list(_figures(data))
    assert len(figures) > 5
    for figure in figures:
        assert len(figure["source"]) > 10


def _figures(data: Any) -> Any:
    if isinstance(data, dict):
        if data.keys() == {"value", "unit", "source"}:
            yield data
        else:
            for value in data.values():
                yield from _figures(value)


def test_the_version_is_told(npukit: Command) -> None:
    said = npukit("--version")
    assert (said.code, said.out.strip()) == (0, f"npukit {npukit_version}")


def test_a_range_is_shown_with_its_unit(npukit: Command) -> None:
    said = npukit("targets", "hilens_kit")
    memory = load_board("hilens_kit").memory
    assert f"{memory.value} {memory.unit}" in said.out


def test_an_unknown_target_names_the_nearest(npukit: Command) -> None:
    said = npukit("targets", "hilens_kid", "--json")
    assert said.code == 1
    assert said.json["error"]["message"] == "no target or board 'hilens_kid'"
    listed = ", ".join(sorted({*targets(), *boards()}))
    assert said.json["error"]["next"] == f"did you mean 'hilens_kit'? known: {listed}"


def test_a_damaged_profile_is_named(
    npukit: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for kind in ("boards", "targets"):
        (tmp_path / kind).mkdir()
    (tmp_path / "targets" / "mine.json").write_text("{", "utf-8")
    monkeypatch.setattr(profiles, "_HERE", str(tmp_path))
    said = npukit("targets", "mine")
    assert said.code == 1
    assert "where: targets/mine.json" in said.err
