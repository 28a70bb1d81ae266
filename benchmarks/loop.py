"""The whole loop, from the clip to the sink: npukit against the article's loop.

Both get the same clip, decoder, network, sink and thread counts, and give the same picture:
mirrored view and composite side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.article import ArticleLoop, BareNetwork
from benchmarks.clips import BUILD, SKILL, Size, clip
from benchmarks.measure import Row, compare
from npukit.capture import open_source
from npukit.display import open_sink
from npukit.frame import Nv21Frame
from npukit.pipeline import Report
from npukit.session import Session
from npukit.skill import Skill, load_skill

SIZES: tuple[Size, ...] = ((1280, 720), (1920, 1080))
CROPS = ("full", "square")
THREADS = (1, 2)
AIMS = {720: 8.0, 1080: 7.0}
LARGEST_DIFFERENCE = 1.5  # levels, mean over a plane: rounding through RGB and back

_BACKGROUND = SKILL / "assets" / "background.jpg"
_NETWORKS = {"full": "selfie_landscape.sim", "square": "selfie_square.sim"}


def rows(rounds: int, count: int) -> Iterator[Row]:
    """Every size, crop and thread count with a null sink; one case of each size that encodes."""
    for size in SIZES:
        for crop in CROPS:
            check(clip(size, 8), crop)
    cases = [
        (size, crop, threads, "null") for size in SIZES for crop in CROPS for threads in THREADS
    ]
    cases += [(size, "full", 1, "encode") for size in SIZES]
    for size, crop, threads, sink in cases:
        yield measure(clip(size, count), size, crop, threads, sink, rounds)


def measure(path: Path, size: Size, crop: str, threads: int, sink: str, rounds: int) -> Row:
    """One case; `threads` for ONNX Runtime and for OpenCV."""
    encode = sink == "encode"
    npukit = Npukit(path, crop, threads, _file("npukit") if encode else sink)
    article = Article(path, crop, threads, _file("article") if encode else sink)
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        return compare(
            f"{size[0]}x{size[1]} {crop}, {threads} thread{'s' if threads > 1 else ''}"
            f"{', encoding' if encode else ''}",
            npukit,
            article,
            rounds,
            None if encode else AIMS[size[1]],
            npukit.stages,
        )
    finally:
        cv2.setNumThreads(before)


def check(path: Path, crop: str) -> None:
    """Make sure that both loops give the same pictures.

    Raises:
        AssertionError: they do not.
    """
    own = Npukit(path, crop, 1, "null").pictures()
    other = [frame for frame, _ in Article(path, crop, 1, "null").pictures()]
    assert len(own) == len(other) > 0, f"{len(own)} and {len(other)} pictures"
    for index, (frame, peer) in enumerate(zip(own, other, strict=True)):
        assert frame.size == peer.size, f"frame {index}: {frame} and {peer}"
        for name in ("y", "vu"):
            gap = cv2.absdiff(getattr(frame, name), getattr(peer, name))
            assert np.mean(gap) < LARGEST_DIFFERENCE, (
                f"{path.name} {crop}, frame {index}: {name} differs by {np.mean(gap):.2f} levels"
            )


def skill(crop: str, threads: int) -> Skill:
    """Portrait matting with the parameters that give the article's picture."""
    given: dict[str, Any] = {
        "crop": crop,
        "mirror": True,
        "view": "side_by_side",
        "edge": "none",
        "background": str(_BACKGROUND),
    }
    return load_skill(str(SKILL), given, threads=threads)


def article(crop: str, threads: int) -> ArticleLoop:
    """The article's loop around the skill's network."""
    network = BareNetwork(SKILL / "model" / _NETWORKS[crop], threads)
    return ArticleLoop(network, network.size, _BACKGROUND, square=crop == "square")


class Npukit:
    """npukit's loop; the model is loaded once, each run opens the clip anew."""

    def __init__(self, path: Path, crop: str, threads: int, sink: str) -> None:
        self._session = Session(skill(crop, threads))
        self._path = path
        self._sink = sink
        self._report: Report | None = None

    def __call__(self) -> int:
        """Run once; how many frames."""
        return self._run(None).frames_in

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

    def _run(self, observe: Any) -> Report:
        report = self._report = self._session.run(str(self._path), (self._sink,), observe)
        if report.error is not None:
            raise report.error
        return report


class Article:
    """The article's loop on frames of the same decoder, packed as a camera gives them."""

    def __init__(self, path: Path, crop: str, threads: int, sink: str) -> None:
        self._loop = article(crop, threads)
        self._path = path
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
        with closing(open_source(str(self._path))) as source:
            for captured in source.frames():
                result = self._loop(captured.frame.pack())
                yield Nv21Frame.from_packed(result, captured.frame.color), captured.time_s


def _file(name: str) -> str:
    return str(BUILD / f"{name}.mp4")
