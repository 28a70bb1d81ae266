"""npukit's whole loop against other tools, each in an environment that this makes for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.clips import SKILL, Size, clip
from benchmarks.external import External
from benchmarks.loop import SIZES, Clip, Npukit
from benchmarks.measure import Contestant, Row, compare, table

AIM = 3.0
_MEDIAPIPE = ("mediapipe==0.10.21",)  # the last release with `solutions` and its weights


def rows(rounds: int, count: int) -> Iterator[Row]:
    """MediaPipe with its published sample's composite: same weights, clip and view, no display."""
    for size in SIZES:
        yield measure(size, rounds, count)


def measure(size: Size, rounds: int, count: int) -> Row:
    """One size; both decode the same file in one thread and mirror the picture."""
    path = clip(size, count)
    given = {
        "clip": str(path),
        "threads": 1,
        "size": size,
        "background": str(SKILL / "assets" / "background.jpg"),
    }
    return compare(
        f"{size[0]}x{size[1]} full, MediaPipe",
        Contestant(Npukit, Clip(path), "full", 1, threads=1),
        External("mediapipe", _MEDIAPIPE, given),
        rounds,
        AIM,
    )


def peer_table(found: Iterable[Row]) -> list[str]:
    """Markdown lines, in frames a second."""
    return table(
        ("whole loop", "npukit fps", "peer fps", "ratio", "aim", "CPU ms a frame"),
        (
            (
                row.case,
                f"{1e3 / row.npukit.wall_ms:.0f}",
                f"{1e3 / row.article.wall_ms:.0f}",
                f"**{row.speed:.1f}x** ({row.low:.1f}-{row.high:.1f})",
                f"{AIM:g}x {'reached' if row.reached else 'MISSED'}",
                f"{row.npukit.cpu_ms:.2f} : {row.article.cpu_ms:.2f}",
            )
            for row in found
        ),
    )
