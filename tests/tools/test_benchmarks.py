"""The benchmarks compare like with like: both loops give the same pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

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
