"""What the refinements are worth, by all measures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from npukit.capture import open_source
from npukit.pipeline import Packet
from npukit.quality import Errors, QualityMeter
from npukit.session import Session
from npukit.skill import load_skill

SKILL = Path(__file__).resolve().parents[3] / "skills" / "portrait_matting"
ACCURACY = yaml.safe_load((SKILL / "accuracy.yaml").read_text("utf-8"))
RAW = {"edge": "none", "smooth": 0}


def errors(clip: Path, truth: Path, **settings: object) -> Errors:
    exact, meter = open_source(str(truth)).frames(), QualityMeter()

    def compare(packet: Packet) -> None:
        meter.add(packet.data["matte"].to_plane(), next(exact).frame.y)

    with Session(load_skill(str(SKILL), settings)) as session:
        report = session.run(str(clip), ["null"], compare)
    assert report.error is None
    assert meter.frames == report.frames_in > 0
    return meter.errors()


@pytest.mark.slow
def test_the_defaults_are_worth_what_accuracy_yaml_says() -> None:
    clip, truth = SKILL / ACCURACY["clip"], SKILL / ACCURACY["truth"]
    promised = ACCURACY["quality"]
    raw, default = errors(clip, truth, **RAW), errors(clip, truth)
    for name in Errors._fields:
        before, after = getattr(raw, name), getattr(default, name)
        assert after <= promised["at_most"][name] * before, name
        assert before == pytest.approx(promised["raw"][name], rel=0.1), name
        assert after == pytest.approx(promised["default"][name], rel=0.15), name


def test_the_clip_that_was_tuned_on_reaches_the_aims(shared_data: Callable[[str], Path]) -> None:
    clip, truth = (shared_data(f"video/composite_gt{part}.mp4") for part in ("", "_alpha"))
    raw, default = errors(clip, truth, **RAW), errors(clip, truth)
    assert default.mad <= 0.0055
    assert default.dtssd <= 0.85 * raw.dtssd
    assert all(after < before for before, after in zip(raw, default, strict=True))


def test_smoothing_adds_to_the_edge(shared_data: Callable[[str], Path]) -> None:
    clip, truth = (shared_data(f"video/composite_gt{part}.mp4") for part in ("", "_alpha"))
    refined, both = errors(clip, truth, smooth=0), errors(clip, truth)
    assert both.dtssd < refined.dtssd
    assert both.mad < 1.02 * refined.mad
