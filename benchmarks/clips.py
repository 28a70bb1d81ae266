"""The clips that the benchmarks run on, made from the skill's own demo clip at run time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from npukit.capture import open_source
from npukit.color import DEFAULT_COLOR
from npukit.display import open_sink
from npukit.frame import Nv21Frame

ROOT = Path(__file__).resolve().parents[1]
SKILL = ROOT / "skills" / "portrait_matting"
DEMO = SKILL / "assets" / "demo.mp4"
BUILD = ROOT / "build" / "bench"

Size = tuple[int, int]


def clip(size: Size, count: int, folder: Path = BUILD) -> Path:
    """The demo clip in another size, repeated to `count` frames; made when there is none.

    H.264, limited range, BT.601: the colours that OpenCV's conversions assume, so that both
    loops mean the same picture.
    """
    path = folder / f"clip_{size[0]}x{size[1]}_{count}.mp4"
    if not path.exists() or path.stat().st_mtime < DEMO.stat().st_mtime:
        sink = open_sink(str(path))
        for index, frame in enumerate(islice(_scenes(size), count)):
            sink.show(frame, index / 30.0)
        sink.close(complete=True)
    return path


def read(path: Path, count: int) -> Iterator[Nv21Frame]:
    """The first frames of a clip."""
    source = open_source(str(path))
    try:
        for captured in islice(source.frames(), count):
            yield captured.frame
    finally:
        source.close()


def _scenes(size: Size) -> Iterator[Nv21Frame]:
    """The demo clip in another size, over and over."""
    while True:
        source = open_source(str(DEMO))
        for captured in source.frames():
            yield captured.frame.resize(*size).recolor(DEFAULT_COLOR)
        source.close()
