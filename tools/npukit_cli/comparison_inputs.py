"""What `npukit compare` feeds two models with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from npukit.errors import ConfigError, did_you_mean
from npukit.preprocess import Preprocess
from npukit.runtime.declaration import InputSpec
from npukit_convert.compare import Case
from npukit_convert.config import read_config
from npukit_convert.errors import ComparisonError
from npukit_convert.execute import Executor, Shape
from npukit_convert.feeds import (
    AMPLITUDES,
    Feeder,
    assumed_preprocess,
    is_arrays,
    read_arrays,
    read_pictures,
)
from npukit_convert.pairing import common_shape, pair_inputs

_SEED = 0


@dataclass(frozen=True)
class Declared:
    """What the user says of inputs, by the name that either model has for them."""

    shapes: Mapping[str, tuple[int, ...]]
    preprocess: Mapping[str, Preprocess]


@dataclass(frozen=True)
class Pair:
    """An input of both models, with what each of them is fed through."""

    one: str
    other: str
    shape: tuple[int, ...]
    preprocess: tuple[Preprocess | None, Preprocess | None]

    def spec(self, side: int) -> InputSpec:
        """Of the first (0) or the other model (1)."""
        return InputSpec(self.shape, self.preprocess[side])


def declared(config: str | None, shapes: Sequence[str]) -> Declared:
    """Read a convert.yaml and NAME=1,3,H,W texts; the latter win.

    Raises:
        ConfigError: one is wrong.
    """
    known: dict[str, tuple[int, ...]] = {}
    preprocess: dict[str, Preprocess] = {}
    if config:
        read = read_config(Path(config))
        for name, item in read.inputs.items():
            known[name] = item.shape
            found = read.preprocess(name, config)
            if found is not None:
                preprocess[name] = found
    for text in shapes:
        name, _, sides = text.partition("=")
        parts = [part.strip() for part in sides.split(",")]
        if not name or not all(part.isdecimal() and int(part) for part in parts):
            raise ConfigError(f"--shape takes NAME=1,3,H,W, not {text!r}")
        known[name] = tuple(map(int, parts))
    return Declared(known, preprocess)


def make_cases(
    one: Executor,
    other: Executor,
    declared: Declared,
    feed: str | None,
    frames: int,
    notes: list[str],
) -> list[Case]:
    """The inputs that both models get.

    Args:
        one, other: the models.
        declared: what the user says of their inputs.
        feed: a file of arrays, a picture, a folder or a video; None for noise.
        frames: how many of a folder or video.
        notes: is added to: what was assumed.

    Raises:
        ConfigError: an input is named that there is not.
        ComparisonError: the models' inputs do not correspond, or the file does not fit them.
        CaptureError: the picture or video cannot be read.
    """
    names = pair_inputs(one.inputs, other.inputs)
    for name in (*declared.shapes, *declared.preprocess):
        if name not in names and name not in names.values():
            raise ConfigError(f"the models have no input {name!r}", hint=did_you_mean(name, names))
    if feed and is_arrays(feed):
        return [Case(Path(feed).name, read_arrays(feed, names))]
    pairs = [_pair(one, other, name, partner, declared) for name, partner in names.items()]
    if feed:
        pairs = _for_pictures(pairs, notes)
    if any(pair.preprocess[0] != pair.preprocess[1] for pair in pairs):
        notes.append("the models declare different preprocessing: each is fed through its own")
    first = Feeder({pair.one: pair.spec(0) for pair in pairs})
    second = Feeder({pair.other: pair.spec(1) for pair in pairs})
    if feed is None:
        return [
            Case(f"noise of {size:g}", first.noise(size, _SEED), second.noise(size, _SEED))
            for size in AMPLITUDES
        ]
    return [
        Case(name, first.frame(frame), second.frame(frame))
        for name, frame in read_pictures(feed, frames)
    ]


def _pair(one: Executor, other: Executor, name: str, partner: str, declared: Declared) -> Pair:
    said: Shape = declared.shapes.get(name) or declared.shapes.get(partner)
    shape = common_shape(one.inputs[name], other.inputs[partner], f"input {name!r}")
    shape = common_shape(shape, said, f"input {name!r}")
    sides = [side for side in shape or () if side is not None]
    if shape is None or len(sides) != len(shape):
        raise ComparisonError(
            f"neither model fixes the shape of its input {name!r}: {shape or 'unknown'}",
            hint=f"give --shape {name}=1,3,H,W, --config convert.yaml, or arrays with --input",
        )
    given = declared.preprocess.get(name) or declared.preprocess.get(partner)
    left, right = one.preprocess.get(name), other.preprocess.get(partner)
    return Pair(name, partner, tuple(sides), (left or given or right, right or given or left))


def _for_pictures(pairs: Sequence[Pair], notes: list[str]) -> list[Pair]:
    """With preprocessing for the pictures, where none is declared."""
    found = list(pairs)
    if not any(pair.preprocess[0] for pair in pairs):
        guesses = [assumed_preprocess(pair.shape) for pair in pairs]
        colour = any(guess and guess.channels == 3 for guess in guesses)
        found = []
        for pair, guess in zip(pairs, guesses, strict=True):
            taken = guess if guess and (guess.channels == 3) == colour else None
            found.append(replace(pair, preprocess=(taken, taken)))
            if taken:
                notes.append(
                    f"no preprocessing is declared for {pair.one!r}: it gets the whole picture, "
                    f"resized, as {'RGB' if colour else 'gray'} 0..1 (give --config to declare it)"
                )
    if not any(pair.preprocess[0] for pair in found):
        shapes = ", ".join(f"{pair.one} {pair.shape}" for pair in pairs)
        raise ComparisonError(
            f"no input takes a picture: {shapes}", hint="give arrays (.npz) with --input"
        )
    blank = [pair.one for pair in found if pair.preprocess[0] is None]
    if blank:
        notes.append(f"no picture, so zeros for: {', '.join(blank)}")
    return found
