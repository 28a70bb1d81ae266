"""The whole loop, from the frames to the sink: npukit against the article's loop.

Both get the same frames, network, sink and thread counts, and give the same picture:
mirrored view and composite side by side. The frames come from a clip, through one decoder,
or lie in memory as a board's camera gives them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cached_property, partial
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.article import Array, ArticleLoop, BareNetwork
from benchmarks.clips import BUILD, SKILL, Size, clip, read
from benchmarks.measure import Contestant, Row, compare
from npukit.capture import Captured, Source, open_source
from npukit.color import DEFAULT_COLOR
from npukit.display import open_sink
from npukit.frame import Nv21Frame
from npukit.pipeline import Packet, Pipeline, Report, Stage
from npukit.skill import Skill, load_skill

SIZES: tuple[Size, ...] = ((1280, 720), (1920, 1080))
CROPS = ("full", "square")
THREADS = (1, 2)
AIMS = {720: 8.0, 1080: 7.0}
LARGEST_DIFFERENCE = 0.6  # levels, mean over a plane: rounding through RGB and back

_BACKGROUND = SKILL / "assets" / "background.jpg"
_NETWORKS = {"full": "selfie_landscape.sim", "square": "selfie_square.sim"}
_KEPT = 48  # camera frames: more than a processor's caches hold


def rows(rounds: int, count: int) -> Iterator[Row]:
    """All cases, once both loops are known to give the same pictures."""
    for size in SIZES:
        for crop in CROPS:
            check(Clip(clip(size, 8)), crop)
    for size in SIZES:
        feed = Clip(clip(size, count))
        for crop in CROPS:
            for threads in THREADS:
                yield measure(feed, size, crop, threads, rounds)
    for size in SIZES:
        camera = Camera(clip(size, count), count)
        for crop in CROPS:
            yield measure(camera, size, crop, 1, rounds)
    for size in SIZES:
        yield measure_encoding(Clip(clip(size, count // 2)), size, rounds)


def measure(feed: Feed, size: Size, crop: str, threads: int, rounds: int) -> Row:
    """One case with a null sink; `threads` for ONNX Runtime and for OpenCV."""
    words = f"{threads} thread{'s' if threads > 1 else ''}{feed.remark}"
    return compare(
        f"{size[0]}x{size[1]} {crop}, {words}",
        Contestant(Npukit, feed, partial(skill, crop, threads), threads=threads),
        Contestant(Article, feed, crop, threads, threads=threads),
        rounds,
        AIMS.get(size[1]),
        Contestant(WithoutGlue, feed, crop, threads, threads=threads),
    )


def measure_encoding(feed: Feed, size: Size, rounds: int) -> Row:
    """One case with a file as its sink, in one thread besides the encoder's own."""
    return compare(
        f"{size[0]}x{size[1]} full, 1 thread, encoding",
        Contestant(Npukit, feed, partial(skill, "full", 1), str(BUILD / "npukit.mp4")),
        Contestant(Article, feed, "full", 1, str(BUILD / "article.mp4")),
        rounds,
    )


def check(feed: Feed, crop: str) -> None:
    """Make sure that both loops give the same pictures.

    Raises:
        AssertionError: they do not.
    """
    own = Npukit(feed, partial(skill, crop, 1)).pictures()
    other = [frame for frame, _ in Article(feed, crop).pictures()]
    assert len(own) == len(other) > 0, f"{len(own)} and {len(other)} pictures"
    for index, (frame, peer) in enumerate(zip(own, other, strict=True)):
        assert frame.size == peer.size, f"frame {index}: {frame} and {peer}"
        for name in ("y", "vu"):
            gap = np.mean(cv2.absdiff(getattr(frame, name), getattr(peer, name)))
            assert gap < LARGEST_DIFFERENCE, (
                f"{crop} {frame.size}, frame {index}: {name} differs by {gap:.2f} levels"
            )


class Feed(ABC):
    """Frames for both loops, from their beginning each time."""

    remark = ""

    @abstractmethod
    def source(self) -> Source:
        """For npukit."""

    @abstractmethod
    def packed(self) -> Iterator[tuple[Array, float]]:
        """For the article: NV21 bytes as a camera gives them, and seconds."""


class Clip(Feed):
    """A video file, decoded on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def source(self) -> Source:
        """See `Feed.source`."""
        return open_source(str(self.path))

    def packed(self) -> Iterator[tuple[Array, float]]:
        """See `Feed.packed`."""
        with closing(self.source()) as source:
            for captured in source.frames():
                yield captured.frame.pack(), captured.time_s


class Camera(Feed):
    """Frames in memory, over and over: what a board's camera costs the processor."""

    remark = ", camera frames"

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count

    def source(self) -> Source:
        """See `Feed.source`."""
        return _Memory(list(self.packed()))

    def packed(self) -> Iterator[tuple[Array, float]]:
        """See `Feed.packed`."""
        for index, nv21 in enumerate(islice(cycle(self._kept), self._count)):
            yield nv21, index / 30.0

    @cached_property
    def _kept(self) -> list[Array]:
        return [frame.pack() for frame in read(self._path, _KEPT)]


class _Memory(Source):
    def __init__(self, frames: list[tuple[Array, float]]) -> None:
        super().__init__("memory", 30.0, len(frames))
        self._frames = frames

    @classmethod
    def accepts(cls, uri: str) -> bool:
        """See `Source.accepts`."""
        return False

    @classmethod
    def open(cls, uri: str) -> Source:
        """See `Source.open`."""
        raise NotImplementedError

    def frames(self) -> Iterator[Captured]:
        """See `Source.frames`."""
        for index, (nv21, time_s) in enumerate(self._frames):
            yield Captured(Nv21Frame.from_packed(nv21, DEFAULT_COLOR), index, time_s)


class Npukit:
    """npukit's loop; the skill is loaded once, each run opens the frames anew."""

    def __init__(self, feed: Feed, load: Callable[[], Skill], sink: str = "null") -> None:
        self._feed = feed
        self._skill = load()
        self._sink = sink
        self._report: Report | None = None

    def __call__(self) -> int:
        """Run once; how many frames."""
        return self._run().frames_in

    def pictures(self) -> list[Nv21Frame]:
        """Run once and keep what comes out."""
        kept: list[Nv21Frame] = []
        self._run(lambda packet: kept.append(packet.frame))
        return kept

    def stages(self) -> Mapping[str, float]:
        """Median milliseconds in each stage of the last run."""
        found = self._report.stages.items() if self._report else ()
        return {
            "display" if name.startswith("display") else name: 1e3 * timings.percentile(50)
            for name, timings in found
        }

    def _run(self, observe: Callable[[Packet], None] | None = None) -> Report:
        self._skill.reset()
        stages, sinks = self._skill.stages(), [open_sink(self._sink)]
        report = self._report = Pipeline(self._feed.source(), stages, sinks, observe).run()
        if report.error is not None:
            raise report.error
        return report


class Article:
    """The article's loop."""

    def __init__(self, feed: Feed, crop: str, threads: int = 1, sink: str = "null") -> None:
        self._feed = feed
        self._loop = article(crop, threads)
        self._sink = sink

    def __call__(self) -> int:
        """Run once; how many frames."""
        count = 0
        sink = open_sink(self._sink)
        for frame, time_s in self.pictures():
            sink.show(frame, time_s)
            count += 1
        sink.close(complete=True)
        return count

    def pictures(self) -> Iterator[tuple[Nv21Frame, float]]:
        """What comes out, with its time."""
        for nv21, time_s in self._feed.packed():
            yield Nv21Frame.from_packed(self._loop(nv21), DEFAULT_COLOR), time_s


class WithoutGlue:
    """The frames and the network side by side, and nothing else."""

    def __init__(self, feed: Feed, crop: str, threads: int) -> None:
        self._feed = feed
        self._network = _network(crop, threads)
        self._tensor = np.zeros((1, 3, *self._network.size[::-1]), np.float32)

    def __call__(self) -> int:
        """Run once; how many frames."""
        stages = [Stage("infer", self._infer)]
        report = Pipeline(self._feed.source(), stages, [open_sink("null")]).run()
        if report.error is not None:
            raise report.error
        return report.frames_in

    def _infer(self, packet: Packet) -> None:
        packet.data["alpha"] = self._network(self._tensor)


def skill(crop: str, threads: int) -> Skill:
    """Portrait matting with the parameters that give the article's picture."""
    given = {
        "crop": crop,
        "mirror": True,
        "view": "side_by_side",
        "edge": "none",
        "background": str(_BACKGROUND),
    }
    return load_skill(str(SKILL), given, threads=threads)


def article(crop: str, threads: int) -> ArticleLoop:
    """The article's loop around the skill's network."""
    network = _network(crop, threads)
    return ArticleLoop(network, network.size, _BACKGROUND, square=crop == "square")


def _network(crop: str, threads: int) -> BareNetwork:
    return BareNetwork(SKILL / "model" / _NETWORKS[crop], threads)
