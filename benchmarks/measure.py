"""Interleaved rounds, medians, tables."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import av
import cv2
import numpy as np
import onnxruntime


@dataclass(frozen=True)
class Cost:
    """Milliseconds a frame: on the clock, and of all processors together."""

    wall_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        case: what was run.
        npukit, article: medians over the rounds.
        bare: of decoder and network side by side with nothing between them, which no glue
            can beat; None where it was not measured.
        speed: how many times as fast npukit is, by the medians; `low` and `high`: in the
            worst and the best round.
        cpu: how many times the processor time the article's loop takes.
        aim: the speed that the project aims at, None where it has no aim.
        stages: npukit's median time in each stage, milliseconds.
    """

    case: str
    npukit: Cost
    article: Cost
    bare: Cost | None
    speed: float
    low: float
    high: float
    cpu: float
    aim: float | None
    stages: Mapping[str, float]

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        return None if self.aim is None else self.speed >= self.aim

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {**asdict(self), "reached": self.reached}


Loop = Callable[[], int]  # runs once, gives how many frames it did


class Runner(Protocol):
    """What `compare` runs: a context manager, one run at a time."""

    def __enter__(self) -> Runner: ...

    def __exit__(self, *_: object) -> None: ...

    def run(self) -> Cost:
        """Run once; what a frame cost."""

    def stages(self) -> Mapping[str, float]:
        """Milliseconds by stage, where they are known."""


class Contestant:
    """A loop in a process of its own, so that none finds the memory as another left it."""

    def __init__(self, make: Callable[..., Loop], *given: Any, threads: int = 1) -> None:
        """`make(*given)` gives the loop, in the process; OpenCV computes in `threads`."""
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self._process.submit(_make, make, given, threads).result()

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown()

    def run(self) -> Cost:
        """Run once; what a frame cost."""
        return self._process.submit(_timed).result()

    def stages(self) -> Mapping[str, float]:
        """What the loop says about its last run; empty when it says nothing."""
        return self._process.submit(_stages).result()


_made: list[Loop] = []  # of this process


def _make(make: Callable[..., Loop], given: Sequence[Any], threads: int) -> None:
    cv2.setNumThreads(threads)
    _made[:] = [make(*given)]


def _timed() -> Cost:
    began, cpu = time.perf_counter(), time.process_time()
    frames = _made[0]()
    wall, busy = time.perf_counter() - began, time.process_time() - cpu
    return Cost(1e3 * wall / frames, 1e3 * busy / frames)


def _stages() -> Mapping[str, float]:
    stages: Callable[[], Mapping[str, float]] = getattr(_made[0], "stages", dict)
    return stages()


def compare(
    case: str,
    npukit: Runner,
    article: Runner,
    rounds: int,
    aim: float | None = None,
    bare: Runner | None = None,
) -> Row:
    """All in turn, again and again, after one round that is not counted."""
    with ExitStack() as stack:
        runners = [stack.enter_context(one) for one in (npukit, article, bare) if one]
        for one in runners:
            one.run()
        costs = [[one.run() for one in runners] for _ in range(rounds)]
        stages = npukit.stages()
    ours, theirs, *limit = (_medians(column) for column in zip(*costs, strict=True))
    ratios = [other.wall_ms / own.wall_ms for own, other, *_ in costs]
    return Row(
        case=case,
        npukit=ours,
        article=theirs,
        bare=limit[0] if limit else None,
        speed=theirs.wall_ms / ours.wall_ms,
        low=min(ratios),
        high=max(ratios),
        cpu=theirs.cpu_ms / ours.cpu_ms,
        aim=aim,
        stages=stages,
    )


def _medians(costs: Sequence[Cost]) -> Cost:
    return Cost(median(cost.wall_ms for cost in costs), median(cost.cpu_ms for cost in costs))


def loop_table(rows: Iterable[Row]) -> list[str]:
    """Markdown lines, in frames a second."""
    head = ("whole loop", "npukit fps", "article fps", "ratio (rounds)", "aim")
    return table(
        (*head, "npukit CPU ms", "article CPU ms", "ratio", "without any glue"),
        (
            (
                row.case,
                f"{1e3 / row.npukit.wall_ms:.0f}",
                f"{1e3 / row.article.wall_ms:.1f}",
                _ratio(row),
                _aim(row),
                f"{row.npukit.cpu_ms:.2f}",
                f"{row.article.cpu_ms:.2f}",
                f"{row.cpu:.1f}x",
                _limit(row),
            )
            for row in rows
        ),
    )


def glue_table(rows: Iterable[Row]) -> list[str]:
    """Markdown lines, in milliseconds a frame."""
    return table(
        ("glue alone", "npukit ms", "article ms", "ratio (rounds)", "aim"),
        (
            (
                row.case,
                f"{row.npukit.wall_ms:.2f}",
                f"{row.article.wall_ms:.2f}",
                _ratio(row),
                _aim(row),
            )
            for row in rows
        ),
    )


def stage_table(rows: Iterable[Row]) -> list[str]:
    """Markdown lines: where npukit's time goes."""
    kept = [row for row in rows if row.stages]
    names = list(dict.fromkeys(name for row in kept for name in row.stages))
    return table(
        ("npukit, p50 ms", *names),
        (
            (row.case, *(f"{row.stages[name]:.2f}" if name in row.stages else "" for name in names))
            for row in kept
        ),
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Markdown lines; columns after the first are set to the right."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _ratio(row: Row) -> str:
    return f"**{row.speed:.1f}x** ({row.low:.1f}-{row.high:.1f})"


def _limit(row: Row) -> str:
    if row.bare is None:
        return ""
    return f"{1e3 / row.bare.wall_ms:.0f} fps, {row.article.wall_ms / row.bare.wall_ms:.1f}x"


def _aim(row: Row) -> str:
    return f"{row.aim:g}x {'reached' if row.reached else 'MISSED'}" if row.aim else ""


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        facts = []
    names = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "onnxruntime": onnxruntime.__version__,
        "av": av.__version__,
    }
