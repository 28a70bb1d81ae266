"""Clips written with PyAV alone: every plane, tag and time is the test's own."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import pytest

Planes = Sequence[np.ndarray]

MILLISECOND = Fraction(1, 1000)


def video_frame(planes: Planes, pix_fmt: str) -> av.VideoFrame:
    """A frame of PyAV from (H, W) planes, or from one (H, W, C) picture for packed formats."""
    height, width = planes[0].shape[:2]
    frame = av.VideoFrame(width, height, pix_fmt)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.ascontiguousarray(plane).reshape(plane.shape[0], -1).view(np.uint8)
        memory = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        memory[: rows.shape[0], : rows.shape[1]] = rows
    return frame


def write(
    path: Path,
    pictures: Sequence[Planes],
    *,
    pix_fmt: str = "yuv420p",
    codec: str = "libx264",
    options: Mapping[str, str] = MappingProxyType({"qp": "0"}),
    file_options: dict[str, str] | None = None,
    tags: tuple[int, int] | None = None,
    times_ms: Sequence[int] | None = None,
    setup: Callable[[Any], None] = lambda _: None,
    audio: bool = False,
) -> Path:
    """Write a clip, lossless unless `options` say otherwise, 25 frames a second.

    `tags` are the numbers of ITU-T H.273 as FFmpeg writes them: range (1 limited, 2 full) and
    matrix (1 BT.709, 5 and 6 BT.601, 9 BT.2020).
    """
    with av.open(path, "w", options=file_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=dict(options))
        stream.height, stream.width = pictures[0][0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = MILLISECOND
        if tags is not None:
            stream.codec_context.color_range, stream.codec_context.colorspace = tags
        setup(stream)
        sound = container.add_stream("aac", rate=48000, layout="mono") if audio else None
        for index, planes in enumerate(pictures):
            frame = video_frame(planes, pix_fmt)
            frame.pts = 40 * index if times_ms is None else times_ms[index]
            frame.time_base = MILLISECOND
            if tags is not None:
                frame.color_range, frame.colorspace = tags
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame("fltp", "mono", 1024)
            silence.sample_rate = 48000
            np.frombuffer(silence.planes[0], np.uint8)[:] = 0
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path


def noise(seed: int, width: int, height: int) -> Planes:
    """The three planes of a random 4:2:0 picture."""
    random = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    return [random.integers(0, 256, size, np.uint8) for size in ((height, width), half, half)]


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def noise_planes() -> Callable[[int, int, int], Planes]:
    return noise
