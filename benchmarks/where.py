"""Where the time goes: processor milliseconds of each stage, one frame after another.

No stage runs beside another here, so that none waits for a core or finds the caches as the
others left them; the sum is what a frame costs, not how long it takes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2

from benchmarks.bars import stacked
from benchmarks.clips import SKILL, Size, clip
from benchmarks.loop import SIZES
from benchmarks.measure import table
from npukit.capture import Captured, open_source
from npukit.display import open_sink
from npukit.pipeline import Packet
from npukit.skill import Skill, load_skill

# What a reader knows the stages as.
STAGES = {
    "capture": "decode",
    "prepare": "crop and resize",
    "infer": "inference",
    "composite": "refine and composite",
    "display": "encode (display)",
}


@dataclass(frozen=True)
class Costs:
    """Of one size: processor milliseconds a frame by stage."""

    case: str
    stages: Mapping[str, float]


def rows(rounds: int, count: int) -> Iterator[Costs]:
    """Every size; medians of the rounds."""
    for size in SIZES:
        yield measure(clip(size, count), size, rounds)


def measure(path: Path, size: Size, rounds: int) -> Costs:
    """One size, the skill as it comes."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        skill = load_skill(str(SKILL))
        runs = [_run(skill, path) for _ in range(rounds + 1)][1:]
        skill.close()
    finally:
        cv2.setNumThreads(threads)
    names = STAGES.values()
    return Costs(
        f"{size[0]}x{size[1]}", {name: median(run[name] for run in runs) for name in names}
    )


def _run(skill: Skill, path: Path) -> dict[str, float]:
    """Once without a display, stage by stage; once more with a file, whose cost is the rest.

    An encoder has threads of its own, which work on while the next stages run.
    """
    spent = dict.fromkeys(STAGES, 0.0)
    began = time.process_time()
    frames = sum(1 for _ in _packets(skill, path, spent))
    alone = time.process_time() - began

    began = time.process_time()
    sink = open_sink(str(path.with_name("where.mp4")))
    for packet in _packets(skill, path, dict.fromkeys(STAGES, 0.0)):
        sink.show(packet.frame, packet.time_s)
    sink.close(complete=True)
    spent["display"] = max(time.process_time() - began - alone, 0.0)
    return {title: 1e3 * spent[name] / frames for name, title in STAGES.items()}


def _packets(skill: Skill, path: Path, spent: dict[str, float]) -> Iterator[Packet]:
    """Finished packets; adds each stage's seconds to `spent`."""
    skill.reset()
    stages = skill.stages()
    with closing(open_source(str(path))) as source:
        frames: Iterator[Captured] = source.frames()
        while True:
            began = time.process_time()
            captured = next(frames, None)
            if captured is None:
                return
            packet = Packet(captured)
            spent["capture"] += time.process_time() - began
            for stage in stages:
                began = time.process_time()
                stage.run(packet)
                spent[stage.name] += time.process_time() - began
            yield packet


def where_table(found: list[Costs]) -> list[str]:
    """Markdown lines, in processor milliseconds a frame."""
    return table(
        ("CPU ms a frame", *STAGES.values(), "all", "without display"),
        (
            (
                costs.case,
                *(f"{costs.stages[name]:.2f}" for name in STAGES.values()),
                f"{sum(costs.stages.values()):.2f}",
                f"{sum(costs.stages.values()) - costs.stages[STAGES['display']]:.2f}",
            )
            for costs in found
        ),
    )


def where_picture(found: Mapping[str, Mapping[str, float]]) -> str:
    """Stacked bars, an SVG; from the stages of each case."""
    return stacked("Where the time goes: processor time of one frame", "ms", found)
