"""How good the skill's alpha is on clips with exact alpha, and what its refinements cost.

    python -m benchmarks.quality [--rounds 5]

The refinements were tuned on `composite_gt`. `demo`, `webcam`, `still` and `lively` had a veto: of
values equally good there, those that harm none of them were taken. `dusk` and `desk` were made
when all was settled.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import chain
from statistics import median
from time import thread_time
from typing import Any

import cv2

from benchmarks.clips import DEMO, SKILL, Size, clip, read
from benchmarks.quality_clips import Clip, shared, synthetic
from npukit.capture import Captured
from npukit.pipeline import Packet
from npukit.skill import Skill, load_skill
from npukit_cli.quality_bench import errors

VARIANTS: dict[str, dict[str, Any]] = {
    "raw": {"edge": "none", "smooth": 0},
    "sharpen": {"edge": "sharpen", "smooth": 0},
    "guided": {"edge": "guided", "smooth": 0},
    "refined": {"edge": "color", "smooth": 0},
    "smoothed": {"edge": "none", "smooth": 0.5},
    "both": {"edge": "color", "smooth": 0.5},
}
SIZES: tuple[Size, ...] = ((1280, 720), (1920, 1080))


def clips() -> Iterator[Clip]:
    """The clip that was tuned on, the bundled one, and those that are made."""
    tuned = Clip(
        "composite_gt (tuned on)",
        shared() / "video/composite_gt.mp4",
        shared() / "video/composite_gt_alpha.mp4",
    )
    if tuned.path.exists():
        yield tuned
    yield Clip("demo (bundled)", DEMO, DEMO.with_name("demo_alpha.mp4"))
    yield from synthetic()


def quality_table() -> Iterator[str]:
    """Markdown lines, in the customary units."""
    yield "| clip | variant | MAD e-3 | MSE e-3 | gradient e3 | connectivity e3 | dtSSD e-2 |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for item in clips():
        for name, given in VARIANTS.items():
            found = errors(str(SKILL), given, str(item.path), str(item.truth))
            yield (
                f"| {item.name} | {name} | {1e3 * found['mad']:.2f} | {1e3 * found['mse']:.2f} "
                f"| {found['gradient'] / 1e3:.2f} | {found['connectivity'] / 1e3:.2f} "
                f"| {1e2 * found['dtssd']:.2f} |"
            )


def cost_table(rounds: int, count: int = 60) -> Iterator[str]:
    """Markdown lines: median processor time of a frame in each stage, interleaved."""
    yield "| size | variant | prepare CPU ms | infer CPU ms | composite CPU ms |"
    yield "|---|---|--:|--:|--:|"
    cv2.setNumThreads(1)
    for size in SIZES:
        frames = list(read(clip(size, count), count))
        skills = {name: load_skill(str(SKILL), given) for name, given in VARIANTS.items()}
        times: dict[str, list[Mapping[str, float]]] = {name: [] for name in VARIANTS}
        for _ in range(rounds + 1):
            for name, skill in skills.items():
                times[name].append(_stage_times(skill, frames))
        for name, found in times.items():
            row = " | ".join(
                f"{1e3 * median(part[stage] for part in found[1:]):.2f}" for stage in found[0]
            )
            yield f"| {size[0]}x{size[1]} | {name} | {row} |"


def _stage_times(skill: Skill, frames: list[Any]) -> dict[str, float]:
    """Medians over the frames."""
    skill.reset()
    stages = skill.stages()
    times: dict[str, list[float]] = {stage.name: [] for stage in stages}
    for index, frame in enumerate(frames):
        packet = Packet(Captured(frame, index, index / 30.0))
        for stage in stages:
            began = thread_time()
            stage.run(packet)
            times[stage.name].append(thread_time() - began)
    return {name: median(values) for name, values in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for line in chain(quality_table(), [""], cost_table(options.rounds)):
        print(line, flush=True)
