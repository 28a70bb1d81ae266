"""The glue alone: all that happens to a frame besides decoder, network and sink.

One thread; the network is replaced by the alphas that it gave before. Colour conversion and
scaling of the network's input count on both sides: the simulator does them on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.article import Array, ArticleLoop
from benchmarks.clips import Size, clip, read
from benchmarks.loop import CROPS, SIZES, article, opencv_threads, skill
from benchmarks.measure import Row, compare
from npukit.capture import Captured
from npukit.frame import Nv21Frame
from npukit.pipeline import Packet
from npukit.preprocess import to_tensor
from npukit.runtime import Model
from npukit.skill import Skill

AIM = 10.0


def rows(rounds: int, count: int) -> Iterator[Row]:
    """Every size and crop."""
    for size in SIZES:
        for crop in CROPS:
            with opencv_threads(1):
                yield measure(size, crop, rounds, count)


def measure(size: Size, crop: str, rounds: int, count: int) -> Row:
    """One case, on the first `count` frames of a clip."""
    frames = list(read(clip(size, count), count))
    packed = [frame.pack() for frame in frames]
    loop = article(crop, 1)
    alphas = [loop.network(loop.before(nv21)[1]) for nv21 in packed]
    own = with_alphas(crop, alphas)
    return compare(
        f"{size[0]}x{size[1]} {crop}",
        lambda: _npukit(own, frames),
        lambda: _article(loop, packed, alphas),
        rounds,
        AIM,
    )


def with_alphas(crop: str, alphas: Sequence[Array]) -> Skill:
    """The skill with its network replaced."""
    real = skill(crop, 1)
    models = {name: Replay(model, alphas) for name, model in real.models.items()}
    return type(real)(real.manifest, real.settings, models)


class Replay(Model):
    """Makes the network's input, then gives the next of the alphas it was made with."""

    def __init__(self, model: Model, alphas: Sequence[Array]) -> None:
        super().__init__(tuple(model.inputs.values()), tuple(model.outputs.values()))
        self._alphas = alphas
        self._next = 0

    def reset(self) -> None:
        """See `Model.reset`."""
        super().reset()
        self._next = 0

    def _execute(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        for name, spec in self.inputs.items():
            assert spec.preprocess is not None
            to_tensor(spec.preprocess, inputs[name])
        alpha = self._alphas[self._next]
        self._next += 1
        return {name: np.array(alpha) for name in self.outputs}


def _npukit(own: Skill, frames: Sequence[Nv21Frame]) -> int:
    own.reset()
    stages = own.stages()
    for index, frame in enumerate(frames):
        packet = Packet(Captured(frame, index, index / 30.0))
        for stage in stages:
            stage.run(packet)
    return len(frames)


def _article(loop: ArticleLoop, packed: Sequence[Array], alphas: Sequence[Array]) -> int:
    for nv21, alpha in zip(packed, alphas, strict=True):
        view, _ = loop.before(nv21)
        loop.after(view, alpha)
    return len(packed)
