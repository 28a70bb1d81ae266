"""The `precision:` section is read strictly, and limits are compared with like."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from npukit.errors import ConfigError
from npukit_convert.quantization.accuracy.accuracy_file import (
    DEFAULT_FLOORS,
    is_least,
    read_accuracy,
    slack,
)
from npukit_convert.quantization.accuracy.tasks import TASKS

SKILL = Path(__file__).resolve().parents[4] / "skills" / "portrait_matting"


def write(folder: Path, text: str) -> Path:
    path = folder / "accuracy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_there_is_a_documented_default() -> None:
    found = read_accuracy(None)
    assert found.default
    assert (found.task, found.floors, found.frames) == ("generic", DEFAULT_FLOORS, None)


def test_a_file_without_the_section_gives_its_clip(tmp_path: Path) -> None:
    found = read_accuracy(write(tmp_path, "clip: a.mp4\ntruth: b.mp4\n"))
    assert (found.default, found.frames, found.truth) == (True, tmp_path / "a.mp4", None)


def test_all_keys(tmp_path: Path) -> None:
    text = """
    clip: a.mp4
    precision:
      task: matting
      output: alpha
      frames: other/b.mp4
      truth: other/b_alpha.mp4
      samples: 8
      floors: {psnr_db: 33, mad_loss: 0.001, dtssd: 0.05}
      measured: {psnr_db: 40}
    """
    found = read_accuracy(write(tmp_path, text))
    assert (found.task, found.output, found.samples, found.default) == (
        "matting",
        "alpha",
        8,
        False,
    )
    assert found.frames == tmp_path / "other/b.mp4"
    assert found.truth == tmp_path / "other/b_alpha.mp4"
    assert found.floors == {"psnr_db": 33.0, "mad_loss": 0.001, "dtssd": 0.05}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("precison: {}", "unknown key 'precison'.*did you mean 'precision'"),
        ("precision: {tsk: matting}", "unknown key 'tsk'.*did you mean 'task'"),
        ("precision: {floors: {psnr: 30}}", "unknown key 'psnr'.*did you mean 'psnr_db'"),
        (
            "precision: {task: matting, floors: {mad_los: 1}}",
            r"precision.floors: unknown key 'mad_los'.*did you mean 'mad_loss'",
        ),
        ("precision: {floors: {mad_loss: 1}}", "unknown key 'mad_loss'"),
        ("precision: {floors: {psnr_db: high}}", "'high' is no limit"),
        ("precision: {floors: {psnr_db: .nan}}", "nan is no limit"),
        ("precision: {floors: {psnr_db: true}}", "True is no limit"),
        ("precision: {floors: {}}", "must map metrics to limits"),
        ("precision: {samples: 0}", "0 is no number of frames"),
        ("precision: {samples: 2.5}", "2.5 is no number of frames"),
        ("precision: [1]", "must be a mapping"),
        ("- 1", "must be a mapping"),
        ("precision: {", "not valid YAML"),
    ],
)
def test_mistakes_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_accuracy(write(tmp_path, text))


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'matting'"):
        read_accuracy(write(tmp_path, "precision: {task: mating}"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_accuracy(tmp_path / "none.yaml")


def test_the_shipped_file_holds_together() -> None:
    found = read_accuracy(SKILL / "accuracy.yaml")
    assert found.task == "matting"
    assert not found.default
    for file in (found.frames, found.truth):
        assert file is not None
        assert file.is_file()
    measured = yaml.safe_load((SKILL / "accuracy.yaml").read_text("utf-8"))["precision"]["measured"]
    for name, figures in measured.items():
        assert set(figures) == set(found.floors), name


@pytest.mark.parametrize(
    ("metric", "limit", "held", "missed"),
    [
        ("psnr_db", 30.0, 30.0, 29.9),
        ("snr_db", 30.0, math.inf, -math.inf),
        ("cosine", 0.99, 0.995, 0.98),
        ("cosine", 0.99, 1.0, -1.0),
        ("max_abs", 0.1, 0.05, 0.2),
        ("max_abs", 0.1, 0.0, math.inf),
        ("mad_loss", 0.001, 0.001, 0.0011),
        ("mad_loss", 0.0, -0.1, 0.1),
        ("mad", 0.01, 0.005, math.nan),
    ],
)
def test_slack_is_below_zero_where_a_limit_is_missed(
    metric: str, limit: float, held: float, missed: float
) -> None:
    assert slack(metric, limit, held) >= 0.0
    assert slack(metric, limit, missed) < 0.0


def test_slack_of_all_figures_counts_decades_of_the_error() -> None:
    """Half the error everywhere: 6 dB, a quarter of 1 - cosine, half of max_abs."""
    step = 2 * math.log10(2)
    assert slack("psnr_db", 30, 30 + 10 * step) == pytest.approx(step)
    assert slack("cosine", 0.96, 0.99) == pytest.approx(step)
    assert slack("max_abs", 0.2, 0.1) == pytest.approx(step)


def test_a_measure_says_itself_which_way_is_better() -> None:
    measures = TASKS.get("super_resolution").measures
    assert is_least("psnr", measures)
    assert not is_least("psnr_loss", measures)
    assert not is_least("mad", TASKS.get("matting").measures)
    assert is_least("cosine", {})
    assert not is_least("max_abs", {})
