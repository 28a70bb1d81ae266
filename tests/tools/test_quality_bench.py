"""`npukit bench --quality` on a short clip whose alpha is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npukit.capture import open_source
from npukit.display import open_sink
from npukit.errors import ConfigError
from npukit.manifest import read_manifest
from npukit.quality import QualityMeter
from npukit.session import Session
from npukit.skill import load_skill
from npukit_cli.commands.bench import bench
from npukit_cli.quality_bench import variants

SKILL = Path(__file__).resolve().parents[2] / "skills" / "portrait_matting"
FRAMES = 3
MEASURES = {"mad", "mse", "gradient", "connectivity", "dtssd"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The first frames of the demo and of its alpha, small."""
    folder = tmp_path_factory.mktemp("clip")
    paths = []
    for name in ("demo.mp4", "demo_alpha.mp4"):
        paths.append(str(folder / name))
        sink = open_sink(paths[-1])
        for captured in open_source(str(SKILL / "assets" / name)).frames():
            if captured.index == FRAMES:
                break
            sink.show(captured.frame.resize(320, 180), captured.time_s)
        sink.close(complete=True)
    return paths[0], paths[1]


def test_the_four_variants_as_json(
    clip: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    source, truth = clip
    assert bench("portrait_matting", camera=source, truth=truth, quality=True, json=True) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["skill"] == "portrait_matting"
    assert (summary["source"], summary["truth"]) == clip
    rows = {row["variant"]: row for row in summary["variants"]}
    assert list(rows) == ["raw", "refined", "smoothed", "both"]
    settings = {name: (row["edge"], row["smooth"]) for name, row in rows.items()}
    assert settings == {
        "raw": ("none", 0.0),
        "refined": ("color", 0.0),
        "smoothed": ("none", 0.5),
        "both": ("color", 0.5),
    }
    assert all(row["frames"] == FRAMES and set(row) >= MEASURES for row in rows.values())
    assert rows["both"]["mad"] < 0.7 * rows["raw"]["mad"]

    # One of them by hand.
    meter, exact = QualityMeter(), open_source(truth).frames()
    with Session(load_skill(str(SKILL), {"edge": "none", "smooth": 0})) as session:
        session.run(
            source,
            ["null"],
            lambda packet: meter.add(packet.data["matte"].to_plane(), next(exact).frame.y),
        )
    for name, value in meter.errors()._asdict().items():
        assert rows["raw"][name] == pytest.approx(value, rel=1e-4)


def test_the_table_in_words(clip: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    source, truth = clip
    given = ["edge=sharpen", "smooth=0.8"]
    assert bench("portrait_matting", source, given, quality=True, truth=truth) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for word in ("raw", "refined", "smoothed", "both", "edge sharpen, smooth 0.8", "dtSSD"):
        assert word in shown


def test_without_an_exact_alpha_it_says_so(clip: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="no exact alpha to compare with"):
        bench("portrait_matting", camera=clip[0], quality=True)
    with pytest.raises(ConfigError, match="no exact alpha to compare with"):
        bench("portrait_matting", parameter=["mirror=true"], quality=True)
    with pytest.raises(ConfigError, match="--truth is for --quality"):
        bench("portrait_matting", camera=clip[0], truth=clip[1])


def test_an_alpha_of_another_size_is_refused(clip: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"the exact alpha is \(320, 180\)"):
        bench("portrait_matting", camera="pattern:64x32,frames=2", truth=clip[1], quality=True)


def test_a_skill_that_cannot_be_varied_is_measured_as_it_is_set() -> None:
    manifest = read_manifest(str(SKILL))
    few = {name: item for name, item in manifest.parameters.items() if name != "smooth"}
    assert variants(manifest._replace(parameters=few), {"edge": "color"}) == {"as set": {}}
