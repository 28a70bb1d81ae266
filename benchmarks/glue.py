"""The glue alone: all that happens to a frame besides decoder, network and sink.

One thread; the network is replaced by the alphas that it gave before. Colour conversion and
scaling of the network's input count on both sides: the simulator does them on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.article import Array, ArticleLoop
from benchmarks.clips import Size, clip
from benchmarks.loop import CROPS, SIZES, Clip, article, skill
from benchmarks.measure import Contestant, Row, compare
from npukit.capture import Captured
from npukit.color import DEFAULT_COLOR
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
            yield measure(clip(size, count), size, crop, rounds)


def measure(path: Path, size: Size, crop: str, rounds: int) -> Row:
    """One case, on the frames of a clip, which are decoded before."""
    return compare(
        f"{size[0]}x{size[1]} {crop}",
        Contestant(NpukitGlue, path, crop),
        Contestant(ArticleGlue, path, crop),
        rounds,
        AIM,
    )


class NpukitGlue:
    """The skill's stages with its network replaced."""

    def __init__(self, path: Path, crop: str) -> None:
        self._frames = [Nv21Frame.from_packed(nv21, DEFAULT_COLOR) for nv21 in packed(path)]
        self._skill = with_alphas(crop, alphas(article(crop, 1), packed(path)))

    def __call__(self) -> int:
        """Run once; how many frames."""
        self._skill.reset()
        stages = self._skill.stages()
        for index, frame in enumerate(self._frames):
            packet = Packet(Captured(frame, index, index / 30.0))
            for stage in stages:
                stage.run(packet)
        return len(self._frames)


class ArticleGlue:
    """The article's loop with its network replaced."""

    def __init__(self, path: Path, crop: str) -> None:
        self._loop = article(crop, 1)
        self._frames = packed(path)
        self._alphas = alphas(self._loop, self._frames)

    def __call__(self) -> int:
        """Run once; how many frames."""
        for nv21, alpha in zip(self._frames, self._alphas, strict=True):
            view, _ = self._loop.before(nv21)
            self._loop.after(view, alpha)
        return len(self._frames)


def packed(path: Path) -> list[Array]:
    """The frames as a camera gives them."""
    return [nv21 for nv21, _ in Clip(path).packed()]


def alphas(loop: ArticleLoop, frames: Sequence[Array]) -> list[Array]:
    """What the network says to frames."""
    return [loop.network(loop.before(nv21)[1]) for nv21 in frames]


def with_alphas(crop: str, given: Sequence[Array]) -> Skill:
    """The skill with its network replaced by what it gave before."""
    real = skill(crop, 1)
    models = {name: Replay(model, given) for name, model in real.models.items()}
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
