"""The benchmarks compare like with like: both loops give the same pictures."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from npukit.runtime.simulator import SimulatorRuntime

ROOT = Path(__file__).resolve().parents[2]
SIZE = (640, 360)


@pytest.fixture
def feed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import clips, loop

    return loop.Clip(clips.clip(SIZE, 4, folder=tmp_path))


@pytest.mark.parametrize("crop", ["full", "square"])
def test_both_loops_give_the_same_pictures(feed, crop):
    from benchmarks import loop

    loop.check(feed, crop)


def test_pictures_that_differ_are_noticed(feed, monkeypatch):
    from benchmarks import loop

    shown = loop.ArticleLoop.after
    monkeypatch.setattr(loop.ArticleLoop, "after", lambda *given: shown(*given) // 2)
    with pytest.raises(AssertionError, match="y differs by"):
        loop.check(feed, "full")


def test_a_row_has_times_ratios_and_stages(feed):
    from benchmarks import loop, measure

    row = loop.measure(feed, SIZE, "full", 1, rounds=1)
    assert row.npukit.wall_ms > 0
    assert row.low == row.high == pytest.approx(row.speed)
    assert set(row.stages) == {"capture", "prepare", "infer", "composite", "display"}
    assert measure.loop_table([row])[-1].startswith("| 640x360 full, 1 thread | ")


def test_the_glue_is_measured_with_recorded_alphas(feed):
    from benchmarks import glue

    row = glue.measure(feed.path, SIZE, "square", 1)
    assert row.npukit.wall_ms > 0
    assert row.bare is None


# --- against the bare network ---


@pytest.fixture(scope="module")
def heavy_build(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        from benchmarks import heavy

        return heavy.build(tmp_path_factory.mktemp("heavy"), side=64)


def test_the_heavy_network_has_the_size_of_modnet(feed):
    from benchmarks import heavy

    parameters = [sum(p.numel() for p in heavy.network().parameters()) for _ in range(2)]
    assert parameters[0] == parameters[1] == pytest.approx(6_487_075, rel=0.01)


def test_the_heavy_network_is_the_same_each_time(heavy_build, feed, tmp_path):
    from benchmarks import heavy

    again = heavy.build(tmp_path, side=64)
    models = [SimulatorRuntime().load(str(path)) for path in (heavy_build, again)]
    image = np.random.default_rng(1).integers(0, 256, (96, 64), np.uint8)
    first, second = (model.infer({"image": image})["alpha"] for model in models)
    assert first.shape == (1, 1, 64, 64)
    assert np.array_equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1
    assert first.std() > 0.01, "it depends on the picture"


def test_the_whole_loop_runs_with_the_heavy_network(heavy_build, feed):
    from benchmarks import bare, loop

    whole = loop.Npukit(feed, partial(bare.with_network, heavy_build, 1))
    assert [frame.size for frame in whole.pictures()] == [SIZE] * 4
    assert whole.stages()["infer"] > 0


def test_a_row_against_the_bare_network(feed):
    from benchmarks import bare

    row = bare.light(feed.path, "none", 1, rounds=1)
    assert row.npukit.wall_ms > 0
    assert row.speed == pytest.approx(row.article.wall_ms / row.npukit.wall_ms)
    assert row.bare is not None
    assert row.aim == 0.5
    (line,) = bare.bare_table([row])[2:]
    assert ("reached" in line) is (row.speed >= 0.5)
    assert "selfie landscape" in line


# --- other tools ---

PEER = """
import json, sys
from answer import answer
given = json.loads(sys.argv[1])
if given["dies"]:
    sys.exit(3)
sys.stdout.write("something else\\n")
answer(lambda: sum(range(1000000)) and given["frames"])
"""


@pytest.fixture
def peer(feed, tmp_path, monkeypatch):
    from benchmarks import external

    (tmp_path / "peers").mkdir()
    (tmp_path / "peers" / "made_up.py").write_text(PEER)
    shutil.copy(ROOT / "benchmarks/peers/answer.py", tmp_path / "peers")
    monkeypatch.setattr(external, "_HERE", tmp_path)
    monkeypatch.setattr(external, "_python", lambda *_: Path(sys.executable))
    return lambda **given: external.External("made_up", (), given)


def test_a_peer_tells_what_its_frames_cost(peer):
    with peer(dies=False, frames=5) as running:
        few, many = running.run(), running.run()
    for cost in (few, many):
        assert cost.wall_ms > 0
        assert cost.cpu_ms > 0


def test_a_peer_that_ends_is_noticed(peer):
    with pytest.raises(RuntimeError, match="ended with 3"):
        peer(dies=True)


def test_peers_with_and_without_an_aim(feed):
    from benchmarks import against, measure

    cost = measure.Cost(2.0, 3.0)
    row = measure.Row("case", cost, measure.Cost(8.0, 9.0), None, 4.0, 3.0, 5.0, 3.0, 3.0, {})
    scale = measure.Row("other", cost, measure.Cost(8.0, 9.0), None, 4.0, 3.0, 5.0, 3.0, None, {})
    aimed, unaimed = against.peer_table([row, scale])[2:]
    assert "| 500 | 125 | **4.0x** (3.0-5.0) | 3x reached |" in aimed
    assert "for scale" in unaimed


# --- where the time goes ---


def test_every_stage_has_its_part(feed):
    from benchmarks import where

    costs = where.measure(feed.path, SIZE, 1)
    assert costs.case == "640x360"
    assert list(costs.stages) == list(where.STAGES.values())
    assert all(ms > 0 for ms in costs.stages.values()), costs
    assert where.where_table([costs])[-1].startswith("| 640x360 | ")


def test_the_bars_are_drawn_to_scale(feed):
    from benchmarks import bars

    drawn = bars.stacked(
        "A <title>", "ms", {"small": {"a": 1.0, "b & c": 3.0}, "big": {"a": 4.0, "b & c": 4.0}}
    )
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    name = "{http://www.w3.org/2000/svg}"
    parts = [
        (item.findtext(f"{name}title"), float(item.get("width", 0)), float(item.get("x", 0)))
        for item in root.iter(f"{name}rect")
        if item.find(f"{name}title") is not None
    ]
    assert [text for text, _, _ in parts] == [
        "a: 1.00 ms", "b & c: 3.00 ms", "a: 4.00 ms", "b & c: 4.00 ms"
    ]  # fmt: skip
    unit = parts[2][1] / 4
    assert [width / unit for _, width, _ in parts] == pytest.approx([1, 3, 4, 4], rel=0.01)
    assert parts[1][2] == pytest.approx(parts[0][2] + unit, abs=0.2), "one after the other"
    texts = ["".join(item.itertext()) for item in root.iter(f"{name}text")]
    assert {"A <title>", "small", "big", "a", "b & c", "4.0 ms", "8.0 ms"} <= set(texts)
    assert "prefers-color-scheme: dark" in drawn


def test_the_picture_in_the_docs_shows_the_table_beside_it():
    page = (ROOT / "docs/topics/speed.md").read_text(encoding="utf-8")
    head, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page[page.index("| CPU ms a frame |") :].split("\n\n")[0].splitlines()
    )
    (picture,) = re.findall(r"!\[.*\]\((.*\.svg)\)", page)
    drawn = ElementTree.parse(ROOT / "docs/topics" / picture).getroot()  # noqa: S314 - our own
    titles = [item.text for item in drawn.iter("{http://www.w3.org/2000/svg}title")]
    shown = [
        f"{part}: {value} ms"
        for line in lines[1:]
        for part, value in zip(head[1:-2], line[1:-2], strict=True)
    ]
    assert titles == shown


@pytest.mark.parametrize("wrong", [{}, {"one": {}}, {"one": {"a": 1.0}, "two": {"b": 1.0}},
                                   {"one": dict.fromkeys("abcdef", 1.0)}])  # fmt: skip
def test_bars_that_cannot_be_compared_are_refused(wrong, feed):
    from benchmarks import bars

    with pytest.raises(ValueError, match="the same 1 to 5 parts"):
        bars.stacked("", "ms", wrong)


def test_the_ways_to_the_network_differ_as_little_as_they_should(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import aipp

    found = aipp.effect(aipp.alphas("selfie_landscape", 4))
    means = [mean for mean, _, _ in found.values()]
    rounding, half, cut, rounded = means
    assert 0 < half < rounded < cut
    assert 0 < rounding < 1e-3
    assert all(mean <= high <= largest <= 1 for mean, high, largest in found.values())


def test_the_speed_of_aipp_is_told_beside_its_peers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import aipp

    lines = list(aipp.speed_table(2))
    assert sum("256x256" in line for line in lines) == 4
    assert lines[-1].startswith("\nAim: 3 times")


def test_a_network_is_quantised_and_measured(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import quantization

    monkeypatch.setattr(quantization, "_SAMPLES", 32)
    candidate = next(quantization.candidates(tmp_path))
    row = quantization.measured(candidate, tmp_path, threads=(1,))
    assert 0.25 < row.size < 0.30
    assert row.speed[1] > 1
    assert row.expected[0] > 2
    assert row.psnr_db > 40
    float32, int8, unit = row.task["psnr"]
    assert unit == "dB"
    assert abs(float32 - int8) < 1
    *_, line = quantization.quantization_table([row])
    assert line.startswith(f"| ESRGAN-slim x2, 64x64 | {row.size:.3f} | {row.speed[1]:.2f}x (")


@pytest.mark.parametrize(
    ("size", "speed", "int8", "reached"),
    [(0.29, 2.1, 29.5, True), (0.31, 2.1, 29.5, False), (0.29, 1.9, 29.5, False),
     (0.29, 2.1, 28.9, False)],
)  # fmt: skip
def test_aims_are_of_size_speed_and_loss_together(size, speed, int8, reached, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import quantization

    task = {"psnr": (30.0, int8, "dB")}
    row = quantization.QuantizationRow(
        "net", size, {1: speed}, {1: 5.0}, (2.0, 0.3), "pays", 40.0, "y", task, aims=True
    )
    assert row.reached is reached
    line = quantization.quantization_table([row])[-1]
    assert line.endswith("| reached |" if reached else "| MISSED |")
    assert replace(row, aims=False).reached is None
