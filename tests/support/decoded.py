"""What is in a video file, read with PyAV alone, and how near it is to what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from npukit.capture import open_source
from npukit.capture.pattern import read_counter
from npukit.color import DEFAULT_COLOR
from npukit.frame import Nv21Frame


def pattern(count: int, size: str = "320x240", fps: int = 30) -> Iterator[tuple[Nv21Frame, float]]:
    """Frames that carry their number, and their times."""
    for captured in open_source(f"pattern:{size},fps={fps},frames={count}").frames():
        yield captured.frame, captured.time_s


def decode(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def planes(decoded: av.VideoFrame) -> Nv21Frame:
    packed = decoded.to_ndarray(format=decoded.format.name)
    return Nv21Frame.from_i420(packed, DEFAULT_COLOR)


def counters(path: Path) -> list[int]:
    return [read_counter(planes(decoded)) for decoded in decode(path)]


def psnr(seen: np.ndarray, wanted: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((seen.astype(float) - wanted) ** 2)))
