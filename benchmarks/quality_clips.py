"""Clips with exact alpha, made at run time: other people, scenes and movements.

    python -m benchmarks.quality_clips         # writes them to build/quality and prints their paths

They need the test data beside the repository (`shared/data`, see its licences), which is not part
of the project, and neither are these clips. A portrait and its alpha go through one and the same
warp, which bends: the head moves against the shoulders. Both are mixed with the scene in
linear light, so the alpha is exact by construction, as the share of light that comes from the
person; a moving shutter is the mean of several such mixtures.

    webcam  640x480, 89 frames: sits and sways before the office of asl_walk.mp4 (its person is
            painted over), a steady camera with the noise and the compression of that file
    still   1280x720, 60 frames: hardly moves before a steady camera in poor light, so that what
            flickers is noise
    lively  1280x720, 90 frames: quick movements with motion blur and a hand-held camera, in
            poor light, before a drawn room
    dusk    1280x720, 60 frames: the same person before the dark skill background
    desk    640x480, 90 frames: the person of the demo clip before the office of asl_book.mp4
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np

from benchmarks.clips import ROOT, SKILL

BUILD = ROOT / "build" / "quality"
Array = np.ndarray[Any, Any]

_PORTRAIT = "matte/p3m_22fc0130"
_OFFICES = ("video/asl_walk.mp4", "video/asl_book.mp4")
_FRAMES, _RATE, _SEED = 90, 30, 22
_BT709 = 1


@dataclass(frozen=True)
class Clip:
    """A clip and its exact alpha (luma, full range, lossless)."""

    name: str
    path: Path
    truth: Path


def shared() -> Path:
    """The folder of the test data beside the repository."""
    return Path(os.environ.get("NPUKIT_SHARED") or ROOT.parent / "shared") / "data"


def synthetic(folder: Path = BUILD) -> list[Clip]:
    """The clips, made where there are none; empty, and said so, without the test data."""
    needed = [f"{_PORTRAIT}.jpg", f"{_PORTRAIT}_alpha.png", *_OFFICES]
    missing = [str(shared() / name) for name in needed if not (shared() / name).exists()]
    if missing:
        print("skipped, for want of test data: " + ", ".join(missing))
        return []
    made = []
    renders = {"webcam": _webcam, "still": _still, "lively": _lively, "dusk": _dusk, "desk": _desk}
    for name, render in renders.items():
        clip = Clip(name, folder / f"{name}.mp4", folder / f"{name}_alpha.mp4")
        if not (clip.path.exists() and clip.truth.exists()):
            _write(clip, render())
        made.append(clip)
    return made


# --- the person ---


def _person() -> Array:
    """The portrait as linear light times alpha, then alpha, (H, W, 4) float32, at half size.

    The colours of its old surroundings are taken out of the ramp: what is not opaque gets the
    mean colour of the opaque part nearby. Its sides, which the picture cuts, become arms.
    """
    bgr = cv2.imread(str(shared() / f"{_PORTRAIT}.jpg"))
    mask = cv2.imread(str(shared() / f"{_PORTRAIT}_alpha.png"), cv2.IMREAD_GRAYSCALE)
    assert bgr is not None
    assert mask is not None
    size = (bgr.shape[1] // 2, bgr.shape[0] // 2)
    light = _to_linear(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)[:, :, ::-1])
    share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    opaque = (share > 0.97).astype(np.float32)
    weight = cv2.GaussianBlur(opaque, (0, 0), 6.0) + 1e-4
    near = cv2.GaussianBlur(light * opaque[..., None], (0, 0), 6.0) / weight[..., None]
    light = light * opaque[..., None] + near * (1.0 - opaque[..., None])
    share = share * _arms(share.shape)
    return np.dstack([light * share[..., None], share]).astype(np.float32)


def _arms(shape: tuple[int, ...]) -> Array:
    """1 inside, 0 beside two slightly bent vertical lines, with a soft edge of two pixels."""
    height, width = shape[:2]
    down = np.arange(height, dtype=np.float32)[:, None]
    margin = 8.0 + 5.0 * np.sin(down / 60.0) + 26.0 * np.clip((0.86 * height - down) / 70.0, 0, 1)
    across = np.arange(width, dtype=np.float32)[None, :]
    inside = np.minimum(across - margin, width - 1 - across - margin)
    return np.clip(inside / 2.0 + 0.5, 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """Where the person is: place of the picture's bottom centre, size, lean and the head's."""

    x: float
    y: float
    scale: float
    angle: float
    head: float


def _place(person: Array, pose: Pose, size: tuple[int, int]) -> Array:
    """The person in the frame; the head sways by `pose.head` pixels against the shoulders."""
    height, width = person.shape[:2]
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    cosine, sine = (f(pose.angle) / pose.scale for f in (math.cos, math.sin))
    right, below = columns - np.float32(pose.x), rows - np.float32(pose.y)
    x = cosine * right + sine * below + (width - 1) / 2.0
    y = -sine * right + cosine * below + height
    up = np.clip((0.80 * height - y) / (0.55 * height), 0.0, 1.0)
    x = x - np.float32(pose.head) * up * up * (3.0 - 2.0 * up)
    warped = cv2.remap(
        person, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    alpha = np.clip(warped[..., 3:], 0.0, 1.0)
    return np.dstack([np.clip(warped[..., :3], 0.0, alpha), alpha])


# --- the clips ---


def _webcam() -> Iterator[tuple[Array, Array]]:
    person = _person()
    size = (640, 480)
    for index, scene in zip(range(_FRAMES), _office(_OFFICES[0]), strict=False):
        turn = 2.0 * math.pi * index / _FRAMES
        pose = Pose(
            x=318.0 + 16.0 * math.sin(1.2 * turn) + 3.0 * math.sin(3.7 * turn),
            y=487.0 + 2.5 * math.sin(2.6 * turn),
            scale=0.60 * (1.0 + 0.02 * math.sin(0.9 * turn + 1.0)),
            angle=math.radians(1.5) * math.sin(1.6 * turn + 0.6),
            head=22.0 * math.sin(2.2 * turn + 0.3),
        )
        placed = _place(person, pose, size)
        yield _mix(placed, _to_linear(scene)), placed[..., 3]


def _still() -> Iterator[tuple[Array, Array]]:
    person = _person()
    size = (1280, 720)
    room = _make_demo().Room(np.random.default_rng(_SEED + 1)).draw()
    scene = np.clip(room[40 : 40 + size[1], 30 : 30 + size[0]], 0.0, 1.0)
    random = np.random.default_rng(_SEED + 1)
    for index in range(60):
        turn = 2.0 * math.pi * index / 60.0
        breath, nod = math.sin(turn + 0.5), math.sin(1.5 * turn)
        pose = Pose(x=590.0 + 0.6 * nod, y=770.0 - 1.5 * breath, scale=1.0, angle=0.0, head=nod)
        placed = _place(person, pose, size)
        light = 0.4 * (placed[..., :3] + (1.0 - placed[..., 3:]) * scene)
        yield _noisy(light, random), placed[..., 3]


def _lively() -> Iterator[tuple[Array, Array]]:
    person = _person()
    size, shutter = (1280, 720), (0.0, 0.17, 0.33, 0.5)
    room = np.ascontiguousarray(_make_demo().Room(np.random.default_rng(_SEED)).draw()[:, ::-1])
    random = np.random.default_rng(_SEED)
    for index in range(_FRAMES):
        moments = [_moment(person, room, index + part, size) for part in shutter]
        placed, scene = (np.mean(parts, axis=0) for parts in zip(*moments, strict=True))
        light = 0.55 * (placed[..., :3] + (1.0 - placed[..., 3:]) * scene)
        yield _noisy(light, random), placed[..., 3]


def _dusk() -> Iterator[tuple[Array, Array]]:
    person, count = _person(), 60
    picture = cv2.imread(str(SKILL / "assets" / "background.jpg"))
    assert picture is not None
    scene = _to_linear(picture[:, :, ::-1])
    for index in range(count):
        turn = 2.0 * math.pi * index / count
        pose = Pose(
            x=760.0 + 60.0 * math.sin(turn) + 9.0 * math.sin(4.0 * turn),
            y=760.0 + 6.0 * math.sin(3.0 * turn),
            scale=0.92 * (1.0 + 0.03 * math.sin(2.0 * turn)),
            angle=0.04 * math.sin(turn + 1.0),
            head=25.0 * math.sin(2.7 * turn),
        )
        placed = _place(person, pose, (1280, 720))
        yield _mix(placed, scene), placed[..., 3]


def _desk() -> Iterator[tuple[Array, Array]]:
    person = _make_demo().read_person(SKILL / "assets" / "astronaut.png")
    for index, scene in zip(range(_FRAMES), _office(_OFFICES[1]), strict=False):
        turn = 2.0 * math.pi * index / _FRAMES
        pose = Pose(
            x=330.0 + 20.0 * math.sin(turn),
            y=500.0 + 4.0 * math.sin(3.0 * turn),
            scale=0.9 * (1.0 + 0.02 * math.sin(2.0 * turn)),
            angle=0.03 * math.sin(turn + 1.0),
            head=14.0 * math.sin(2.3 * turn),
        )
        placed = _place(person, pose, (640, 480))
        yield _mix(placed, _to_linear(scene)), placed[..., 3]


def _moment(person: Array, room: Array, time: float, size: tuple[int, int]) -> tuple[Array, Array]:
    turn = 2.0 * math.pi * time / _FRAMES
    pose = Pose(
        x=640.0 + 170.0 * math.sin(1.5 * turn) + 30.0 * math.sin(5.0 * turn),
        y=775.0 + 10.0 * math.sin(4.0 * turn),
        scale=1.02 * (1.0 + 0.06 * math.sin(1.3 * turn + 0.5)),
        angle=math.radians(5.0) * math.sin(2.0 * turn),
        head=36.0 * math.sin(3.5 * turn + 0.5),
    )
    shift = (60.0 + 9.0 * math.sin(3.1 * turn), 35.0 + 6.0 * math.sin(4.7 * turn + 1.0))
    pan = np.array([[1.0, 0.0, -shift[0]], [0.0, 1.0, -shift[1]]])
    scene = np.clip(cv2.warpAffine(room, pan, size, flags=cv2.INTER_CUBIC), 0.0, 1.0)
    return _place(person, pose, size), scene


def _office(name: str) -> Iterator[Array]:
    """The frames of the office, RGB, the wall drawn across from either side of its person."""
    left, right = 160, 476
    share = np.linspace(0.0, 1.0, right - left, dtype=np.float32)[None, :, None]
    random = np.random.default_rng(_SEED)
    with av.open(str(shared() / name)) as container:
        for decoded in container.decode(video=0):
            rgb = decoded.to_ndarray(format="rgb24").astype(np.float32)
            edges = [
                cv2.blur(rgb[:, at : at + 12].mean(axis=1, keepdims=True), (1, 5))
                for at in (left - 12, right)
            ]
            edges = [edge.reshape(-1, 1, 3) for edge in edges]
            wall = (1.0 - share) * edges[0] + share * edges[1]
            rgb[:, left:right] = wall + random.standard_normal(wall.shape, np.float32)
            yield np.clip(rgb, 0.0, 255.0)


def _noisy(light: Array, random: np.random.Generator) -> Array:
    """Codes 0..255 with the noise of a small sensor: of reading it out, and of the light itself."""
    deviation = np.sqrt(1e-5 + 6e-4 * light)
    return _to_code(light + deviation * random.standard_normal(light.shape, np.float32))


def _mix(placed: Array, scene: Array) -> Array:
    return _to_code(placed[..., :3] + (1.0 - placed[..., 3:]) * scene)


# --- light and files ---


def _to_linear(code: Array) -> Array:
    value = code.astype(np.float32) / np.float32(255.0)
    high = np.power((value + 0.055) / 1.055, 2.4, dtype=np.float32)
    return np.where(value <= 0.04045, value / 12.92, high).astype(np.float32)


def _to_code(light: Array) -> Array:
    value = np.clip(light, 0.0, 1.0).astype(np.float32)
    high = 1.055 * np.power(np.maximum(value, 1e-6), 1.0 / 2.4, dtype=np.float32) - 0.055
    return np.asarray(255.0 * np.where(value <= 0.0031308, 12.92 * value, high))


def _make_demo() -> ModuleType:
    """The script that drew the room of the demo clip."""
    path = SKILL / "assets" / "make_demo.py"
    spec = importlib.util.spec_from_file_location("npukit_make_demo", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(clip: Clip, frames: Iterator[tuple[Array, Array]]) -> None:
    """Write a clip (H.264, limited range, lossy) and its alpha (full range, lossless)."""
    clip.path.parent.mkdir(parents=True, exist_ok=True)
    to_yuv420: Callable[[Array], Array] = _make_demo().to_yuv420
    picture = alpha = None
    for rgb, share in frames:
        height, width = share.shape
        if picture is None or alpha is None:
            picture = _Track(clip.path, (width, height), 1, {"crf": "21", "preset": "medium"})
            alpha = _Track(clip.truth, (width, height), 2, {"qp": "0", "preset": "fast"})
        picture.add(to_yuv420(rgb))
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        planes[:height] = np.rint(share * 255.0)
        alpha.add(planes)
    for track in (picture, alpha):
        if track is not None:
            track.close()


class _Track:
    """One H.264 file; appears under its name when it is complete."""

    def __init__(
        self, path: Path, size: tuple[int, int], color_range: int, options: dict[str, str]
    ) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".part")
        self._container = av.open(str(self._partial), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=_RATE)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"threads": "1", **options}
        self._range = color_range
        context = self._stream.codec_context
        context.color_range = color_range
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        self._count = 0

    def add(self, planes: Array) -> None:
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = self._count, Fraction(1, _RATE)
        frame.color_range, frame.colorspace = self._range, _BT709
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._partial.replace(self._path)


if __name__ == "__main__":
    for item in synthetic():
        print(item.path, item.truth)
