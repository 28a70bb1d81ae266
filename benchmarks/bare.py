"""npukit's whole loop against nothing but its network: ONNX Runtime on one tensor, again and again.

The bare loop has no decoder, no colours, no composite and no other thread beside it, and ONNX
Runtime as it comes but for its number of threads. How near npukit is says what all the rest costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks import heavy
from benchmarks.clips import SKILL, Size, clip
from benchmarks.loop import THREADS, Clip, Npukit, WithoutGlue
from benchmarks.measure import Contestant, Row, compare, table
from npukit.runtime.build import read_build
from npukit.runtime.simulator import SimulatorRuntime
from npukit.skill import Skill, load_skill

HEAVY_AIM, LIGHT_AIM = 0.98, 0.5
SIZE: Size = (1280, 720)
_LIGHT = SKILL / "model" / "selfie_landscape.sim"
_LIGHT_RUNS = 300
_RARER = 12  # the heavy network gets this part of the frames: it takes as many times as long


def rows(rounds: int, count: int) -> Iterator[Row]:
    """The skill's own network, as it comes and without edge refinement; then the heavy one.

    The heavy one is run without: refining is for coarse alphas, and an untrained network's
    alpha is an edge everywhere.
    """
    for edge in ("color", "none"):
        for threads in THREADS:
            yield light(clip(SIZE, count), edge, threads, rounds)
    network, few = heavy.build(), max(count // _RARER, 4)
    for threads in THREADS:
        yield compare(
            _case(f"MODNet-sized, {heavy.SIDE}x{heavy.SIDE}, untrained", "none", threads),
            Contestant(
                Npukit, Clip(clip(SIZE, few)), partial(with_network, network, threads),
                threads=threads,
            ),
            Contestant(Bare, network, threads, few, threads=threads),
            rounds,
            HEAVY_AIM,
        )  # fmt: skip


def light(path: Path, edge: str, threads: int, rounds: int) -> Row:
    """The skill's own network, which takes less time than the decoder."""
    feed = Clip(path)
    load = partial(load_skill, str(SKILL), {"edge": edge}, threads=threads)
    return compare(
        _case("selfie landscape, 256x144", edge, threads),
        Contestant(Npukit, feed, load, threads=threads),
        Contestant(Bare, _LIGHT, threads, _LIGHT_RUNS, threads=threads),
        rounds,
        LIGHT_AIM,
        Contestant(WithoutGlue, feed, "full", threads, threads=threads),
    )


def with_network(path: Path, threads: int) -> Skill:
    """Portrait matting without edge refinement, with another network for a wide view."""
    real = load_skill(str(SKILL), {"edge": "none"}, threads=threads)
    model = SimulatorRuntime().load(str(path), threads)
    return type(real)(real.manifest, real.settings, dict.fromkeys(real.models, model))


def _case(network: str, edge: str, threads: int) -> str:
    return f"{network}; edge={edge}, {threads} thread{'s' if threads > 1 else ''}"


class Bare:
    """The network of a simulator build on one tensor of noise."""

    def __init__(self, path: Path, threads: int, count: int) -> None:
        build = read_build(str(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            build.onnx, options, providers=["CPUExecutionProvider"]
        )
        noise = np.random.default_rng(22)
        self._feeds = {
            name: noise.random(spec.shape, np.float32) for name, spec in build.inputs.items()
        }
        self._count = count

    def __call__(self) -> int:
        """Run once; how many frames."""
        for _ in range(self._count):
            self._session.run(None, self._feeds)
        return self._count


def bare_table(found: Iterable[Row]) -> list[str]:
    """Markdown lines, in frames a second."""
    return table(
        ("1280x720 clip, whole loop", "npukit fps", "bare network fps", "share (rounds)", "aim",
         "CPU ms a frame", "decoder and network alone"),
        (
            (
                row.case,
                f"{1e3 / row.npukit.wall_ms:.4g}",
                f"{1e3 / row.article.wall_ms:.4g}",
                f"**{row.speed:.2f}** ({row.low:.2f}-{row.high:.2f})",
                f"{row.aim:g} {'reached' if row.reached else 'MISSED'}",
                f"{row.npukit.cpu_ms:.1f} : {row.article.cpu_ms:.1f}",
                f"{1e3 / row.bare.wall_ms:.0f} fps" if row.bare else "",
            )
            for row in found
        ),
    )  # fmt: skip
