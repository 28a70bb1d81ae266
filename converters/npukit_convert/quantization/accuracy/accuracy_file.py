"""What accuracy must hold: the `precision:` section of an accuracy.yaml."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from npukit.errors import ConfigError, check_keys, did_you_mean
from npukit_convert.quantization.accuracy.tasks import TASKS
from npukit_convert.yaml_file import read_yaml

GENERIC = "generic"

DEFAULT_FLOORS: Mapping[str, float] = MappingProxyType({"psnr_db": 30.0, "cosine": 0.99})
"""Where no accuracy.yaml says more: an error of 3 percent of an output's range, RMS."""

_FILE = ("clip", "truth", "limits", "quality", "precision")
_SECTION = ("task", "output", "frames", "truth", "samples", "floors", "measured")
_OUTPUT_METRICS = ("psnr_db", "snr_db", "cosine", "max_abs")
_LOSS = "_loss"
_SAMPLES = 16


@dataclass(frozen=True)
class Accuracy:
    """What a quantised network is held to.

    Attributes:
        task: its name, see `tasks`.
        floors: limit by metric: `psnr_db`, `snr_db`, `cosine` (of every output at least),
            `max_abs` (of every output at most), a measure of the task, or NAME_loss: what the
            quantised network may be worse by than float32, in the unit of the measure.
        output: that the task measures; the first if empty.
        frames, truth: what it is judged on; None where the file does not say it.
        samples: how many frames at most.
        default: no file set the floors.
        where: the section, for messages.
    """

    task: str = GENERIC
    floors: Mapping[str, float] = field(default_factory=lambda: DEFAULT_FLOORS)
    output: str = ""
    frames: Path | None = None
    truth: Path | None = None
    samples: int = _SAMPLES
    default: bool = True
    where: str = "accuracy"


def read_accuracy(path: Path | None) -> Accuracy:
    """Read the `precision:` section of a file.

    Args:
        path: an accuracy.yaml; None for the default. A file without the section gives the
            default floors on the file's own `clip`.

    Raises:
        ConfigError: the file cannot be read; an unknown key (names the nearest) or wrong value.
    """
    if path is None:
        return Accuracy()
    data = _load(path)
    check_keys(data, _FILE, str(path))
    section = data.get("precision") or {}
    where = f"{path}, precision"
    if not isinstance(section, dict):
        raise ConfigError(f"must be a mapping, not {section!r}", where=where)
    check_keys(section, _SECTION, where)
    task = str(section.get("task", GENERIC))
    if task not in TASKS.names():
        raise ConfigError(
            f"unknown task {task!r}", where=where, hint=did_you_mean(task, TASKS.names())
        )
    kind = TASKS.get(task)
    floors = section.get("floors")
    return Accuracy(
        task=task,
        floors=DEFAULT_FLOORS if floors is None else _floors(floors, kind.measures, where),
        output=str(section.get("output", "")),
        frames=_file(path, section.get("frames", data.get("clip"))),
        truth=_file(path, section.get("truth", data.get("truth"))) if kind.needs_truth else None,
        samples=_count(section.get("samples", _SAMPLES), where),
        default=floors is None,
        where=where,
    )


def slack(metric: str, limit: float, measured: float) -> float:
    """How far a limit is from being missed; below 0 it is missed, NaN counts as -inf.

    Steps of different metrics are made comparable: decades of the error's power for dB
    (10 dB are 1), cosine (1 - cosine is such a power) and `max_abs`; of a loss the share of the
    limit that is left.
    """
    if math.isnan(measured):
        return -math.inf
    if metric in ("psnr_db", "snr_db"):
        return (measured - limit) / 10.0
    if metric == "cosine":
        return _decades(1.0 - limit, 1.0 - measured)
    if metric == "max_abs":
        return 2.0 * _decades(limit, measured)
    return (limit - measured) / (abs(limit) or 1.0)


def is_least(metric: str, measures: Mapping[str, Any]) -> bool:
    """Whether a limit is the least value allowed, else it is the largest."""
    if metric in measures:
        return bool(measures[metric].higher_is_better)
    return metric in ("psnr_db", "snr_db", "cosine")


def _decades(limit: float, measured: float) -> float:
    if measured <= 0.0:
        return math.inf
    if limit <= 0.0 or math.isinf(measured):
        return -math.inf
    return math.log10(limit / measured)


def _load(path: Path) -> dict[str, Any]:
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError("must be a mapping of keys", where=str(path))
    return data


def _floors(given: Any, measures: Mapping[str, Any], where: str) -> dict[str, float]:
    where = f"{where}.floors"
    if not isinstance(given, dict) or not given:
        raise ConfigError("must map metrics to limits", where=where)
    known = (*_OUTPUT_METRICS, *measures, *(f"{name}{_LOSS}" for name in measures))
    check_keys(given, known, where)
    for name, limit in given.items():
        if isinstance(limit, bool) or not isinstance(limit, (int, float)) or limit != limit:
            raise ConfigError(f"{limit!r} is no limit", where=f"{where}.{name}")
    return {str(name): float(limit) for name, limit in given.items()}


def _file(path: Path, name: Any) -> Path | None:
    return None if name is None else path.parent / str(name)


def _count(value: Any, where: str) -> int:
    if type(value) is not int or value < 1:
        raise ConfigError(f"{value!r} is no number of frames", where=f"{where}.samples")
    return value
