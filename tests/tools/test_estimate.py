"""`npukit estimate` and `npukit run --pace`: as a user types it, right and wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
REPOSITORY = Path(__file__).resolve().parents[2]
LANDSCAPE = REPOSITORY / "skills/portrait_matting/model/selfie_landscape.sim"
PAGE = REPOSITORY / "docs/howto/lint-and-estimate.md"
RUN = ("run", "portrait_matting", "-c", "pattern:320x240,frames=3", "-d", "null")


@pytest.mark.parametrize(
    ("board", "route"), [("hilens_kit", "caffe"), ("atlas_200dk", "onnx"),
                         ("orangepi_aipro", "onnx")],
)  # fmt: skip
def test_a_build_on_each_board(npukit: Command, board: str, route: str) -> None:
    said = npukit("estimate", LANDSCAPE, "--board", board, "--json")
    assert said.code == 0, said.err
    data = said.json
    assert (data["board"], data["route"], data["precision"]) == (board, route, "fp16")
    assert data["estimate_ms"] == pytest.approx(sum(one["ms"] for one in data["layers"]))
    assert sum(one["share"] for one in data["layers"]) == pytest.approx(1)
    for one in data["layers"]:
        assert one["ms"] == max(one["compute_ms"], one["memory_ms"])
        assert one["macs"] <= one["padded_macs"] or one["macs"] == 0
    assert data["copy_ms"] > 0
    assert data["preprocess_ms"] > 0
    assert data["weights_bytes"] < data["peak_bytes"] < data["memory_bytes"]
    assert set(data["sources"]) == {"peak.fp16", "ddr_bandwidth", "copy_bandwidth",
                                    "channel_block.fp16"}  # fmt: skip


def test_faster_boards_and_int8_take_no_longer(npukit: Command) -> None:
    def milliseconds(*more: str) -> float:
        said = npukit("estimate", LANDSCAPE, "--route", "onnx", "--json", *more)
        return float(said.json["estimate_ms"])

    kit, other = milliseconds("--board", "hilens_kit"), milliseconds("--board", "orangepi_aipro")
    assert kit < other
    assert milliseconds("--board", "hilens_kit", "--precision", "int8") < kit


def test_what_a_person_sees(npukit: Command) -> None:
    said = npukit("estimate", LANDSCAPE, "--board", "atlas_200dk")
    assert said.code == 0
    title = (
        r"selfie_landscape.sim on atlas_200dk, fp16, as onnx: 0\.\d\d ms \(the 12 longest of \d+\)"
    )
    assert re.search(title, " ".join(said.out.split()))
    assert "memory at the fullest: " in said.out
    assert "peak.fp16: 11.14 TFLOPS: derived: " in said.out
    assert "note: an estimate without the cost of starting layers" in said.err
    every = npukit("estimate", LANDSCAPE, "--board", "atlas_200dk", "--layers").out
    assert "longest" not in every
    assert len(every.splitlines()) > len(said.out.splitlines()) + 50


def test_the_error_against_published_times_is_printed_as_it_is(npukit: Command) -> None:
    said = npukit("estimate", "--published")
    assert said.code == 0
    assert "nothing is fitted" in said.out
    assert (
        "apart: MODNet, 384 x 384, 44 ms: printed in HiLens Studio, hardware unstated" in said.out
    )
    rows = npukit("estimate", "--published", "--json").json["compared"]
    page = PAGE.read_text("utf-8")
    for row in rows:
        shown = (
            f"| {row['network']} | {row['published_ms']:.2f} | {row['estimated_ms']:.2f} "
            f"| {row['error']:+.0%} |"
        )
        assert shown in page, f"docs/howto/lint-and-estimate.md has no line {shown}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no model is given"),
        ((LANDSCAPE,), "no --board is given"),
        ((LANDSCAPE, "--board", "hilens"), "unknown board 'hilens'"),
        ((LANDSCAPE, "--board", "simulator"), "no peak of simulator in fp16"),
        ((LANDSCAPE, "--board", "hilens_kit", "--precision", "fp32"), "no peak of hilens_kit"),
        ((LANDSCAPE, "--board", "hilens_kit", "--shape", "image=1"), "is fixed in a simulator"),
        ((LANDSCAPE, "--published"), "--published takes no model"),
    ],
)
def test_what_is_wrong_is_told(npukit: Command, arguments: tuple[Any, ...], message: str) -> None:
    said = npukit("estimate", *arguments, "--json")
    assert said.code == 1
    assert message in said.json["error"]["message"]


# --- npukit run --pace ----------------------------------------------------------------------------


def test_a_run_at_the_pace_of_a_board(npukit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from npukit_cli import pacing

    real = pacing.make_pacer

    def slow(text: str, manifest: Any) -> Any:
        """A board slow enough for any machine to keep its pace."""
        pacer = real(text, manifest)
        pacer._seconds = lambda _: 0.4
        return pacer

    monkeypatch.setattr("npukit_cli.running.make_pacer", slow)
    said = npukit(*RUN, "--pace", "estimate", "--json")
    assert said.code == 0, said.err
    assert said.json["pace"]["board"] == "hilens_kit"
    model = said.json["pace"]["models"]["landscape"]
    assert (model["inferences"], model["late"], model["estimate_ms"]) == (3, 0, 400)
    stage = said.json["runs"][0]["stages"]["infer"]
    assert stage["p50_ms"] >= 400


def test_the_pace_is_the_estimate(npukit: Command) -> None:
    said = npukit(*RUN, "--pace", "estimate:orangepi_aipro", "--json")
    found = said.json["pace"]["models"]["landscape"]
    asked = npukit("estimate", LANDSCAPE, "--board", "orangepi_aipro", "--json").json
    assert found["estimate_ms"] == pytest.approx(asked["estimate_ms"])
    assert found["inferences"] == 3
    assert "pace" not in npukit(*RUN, "--json").json


def test_a_machine_that_is_slower_says_so(npukit: Command) -> None:
    """The estimate is some hundred microseconds, which no CPU needs for this network."""
    said = npukit(*RUN, "--pace", "estimate")
    assert said.code == 0
    assert re.search(
        r"pace: landscape takes 0\.\d\d ms, estimated for hilens_kit; this machine was slower in "
        r"3 of 3 inferences \(worst \d+\.\d\d ms\): their own time stands", said.out
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pace", "message"),
    [
        ("fast", "--pace takes estimate or estimate:BOARD"),
        ("estimate:hilens", "no board 'hilens'"),
        ("estimate:simulator", "no board 'simulator'"),
    ],
)
def test_a_wrong_pace(npukit: Command, pace: str, message: str) -> None:
    said = npukit(*RUN, "--pace", pace)
    assert said.code == 1
    assert message in said.err


@pytest.mark.usefixtures("here")
def test_a_skill_without_a_board_and_a_script(npukit: Command, here: Path) -> None:
    manifest = {
        "name": "plain", "title": "Plain", "version": "1.0.0", "entry": "skill.py:Plain",
        "models": {}, "boards": ["simulator"], "capture": {"simulator": "pattern:64x64,frames=2"},
        "display": {"simulator": "null"}, "parameters": {},
    }  # fmt: skip
    folder = here / "plain"
    folder.mkdir()
    (folder / "skill.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "skill.py").write_text(
        "from npukit.skill import Skill\n\nclass Plain(Skill):\n"
        "    def process(self, frame):\n        return frame\n", "utf-8"
    )  # fmt: skip
    said = npukit("run", folder, "--pace", "estimate")
    assert said.code == 1
    assert "runs on the simulator alone" in said.err
    (here / "script.py").write_text("", "utf-8")
    said = npukit("run", "script.py", "--pace", "estimate")
    assert said.code == 1
    assert "--pace is for skills" in said.err
