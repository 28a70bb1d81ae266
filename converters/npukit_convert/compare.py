"""Two executions compared, per output and per layer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npukit.arrays import F32
from npukit_convert.errors import ComparisonError
from npukit_convert.execute.base import Executor
from npukit_convert.figures import Figures, Thresholds, difference
from npukit_convert.pairing import Layer, pair_inputs, pair_layers, pair_names


class Case(NamedTuple):
    """What both models are given.

    Attributes:
        name: for people: a frame of a video, or a kind of noise.
        feeds: by the first model's input names.
        other: what the other model is given, by its own names, where it preprocesses the same
            picture differently; None for the same arrays.
    """

    name: str
    feeds: Mapping[str, F32]
    other: Mapping[str, F32] | None = None


@dataclass(frozen=True)
class Compared:
    """A tensor of both models.

    Attributes:
        one, other: its names.
        shape: of the first.
        figures: the worst of all cases.
        cases: figures by case.
        past: whether a threshold is passed in any case.
    """

    one: str
    other: str
    shape: tuple[int, ...]
    figures: Figures
    cases: Mapping[str, Figures]
    past: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "one": self.one,
            "other": self.other,
            "shape": list(self.shape),
            **self.figures.to_dict(),
            "past": self.past,
            "cases": {name: figures.to_dict() for name, figures in self.cases.items()},
        }


@dataclass(frozen=True)
class Comparison:
    """The result.

    Attributes:
        thresholds: what was allowed.
        cases: their names.
        outputs: the models' outputs, in the first model's order.
        layers: in the first model's order of execution; empty where they were not asked for.
        unpaired: outputs and layers without a partner, of the first model and of the other.
    """

    thresholds: Thresholds
    cases: tuple[str, ...]
    outputs: tuple[Compared, ...]
    layers: tuple[Compared, ...] = ()
    unpaired: tuple[tuple[str, ...], tuple[str, ...]] = field(default=((), ()))

    @property
    def past(self) -> bool:
        """Whether an output is past a threshold."""
        return any(output.past for output in self.outputs)

    @property
    def first_past(self) -> Compared | None:
        """The first layer, in the order of execution, that is past a threshold."""
        return next((layer for layer in self.layers if layer.past), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        first = self.first_past
        return {
            "past": self.past,
            "thresholds": self.thresholds.to_dict(),
            "cases": list(self.cases),
            "outputs": [output.to_dict() for output in self.outputs],
            "layers": [layer.to_dict() for layer in self.layers],
            "first_layer_past": first.one if first else None,
            "unpaired": {"one": list(self.unpaired[0]), "other": list(self.unpaired[1])},
        }


def compare(
    one: Executor,
    other: Executor,
    cases: Iterable[Case],
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
    *,
    layers: bool = False,
    names: Mapping[str, str] | None = None,
) -> Comparison:
    """Run two models on the same inputs.

    Args:
        one: the reference.
        other: what is measured.
        cases: inputs; at least one.
        thresholds: what is allowed.
        layers: whether to compare every layer too; the layers of one case lie in a temporary
            folder meanwhile.
        names: layers that are known to be the same, `one` to `other`, as from a build record;
            the rest is paired as `npukit_convert.pairing` says, on the first case.

    Raises:
        ComparisonError: inputs or outputs do not correspond, or there is no case.
        ExecutionError: an engine fails.
    """
    inputs = pair_inputs(one.inputs, other.inputs)
    outputs, inner = _Table(thresholds), _Table(thresholds, layers=True)
    done: list[str] = []
    for case in cases:
        feeds = case.other or {inputs[name]: value for name, value in case.feeds.items()}
        wanted, found = one.run(case.feeds), other.run(feeds)
        if not done:
            outputs.pair(_pair_outputs(one, wanted, other, found), wanted, found)
        outputs.add(case.name, wanted, found)
        if layers:
            with _recorded(one, case.feeds) as left, _recorded(other, feeds) as right:
                if not done:
                    inner.pair(pair_layers(left.layers, right.layers, names), left, right)
                inner.add(case.name, left, right)
        done.append(case.name)
    if not done:
        raise ComparisonError("there is nothing to feed the models with")
    return Comparison(
        thresholds=thresholds,
        cases=tuple(done),
        outputs=outputs.rows(),
        layers=inner.rows(),
        unpaired=(
            (*outputs.unpaired[0], *inner.unpaired[0]),
            (*outputs.unpaired[1], *inner.unpaired[1]),
        ),
    )


class _Table:
    """Pairs of tensors and their figures, case by case."""

    def __init__(self, thresholds: Thresholds, layers: bool = False) -> None:
        self._thresholds = thresholds
        self._layers = layers
        self._pairs: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._cases: dict[str, dict[str, Figures]] = {}
        self.unpaired: tuple[list[str], list[str]] = [], []

    def pair(
        self, pairs: Mapping[str, str], wanted: Mapping[str, F32], found: Mapping[str, F32]
    ) -> None:
        """Set what is compared."""
        self._pairs = dict(pairs)
        self._shapes = {name: wanted[name].shape for name in pairs}
        self._cases = {name: {} for name in pairs}
        self.unpaired = (
            [name for name in wanted if name not in pairs],
            [name for name in found if name not in pairs.values()],
        )

    def add(self, case: str, wanted: Mapping[str, F32], found: Mapping[str, F32]) -> None:
        """Measure one case."""
        for name, partner in self._pairs.items():
            self._cases[name][case] = difference(wanted[name], found[partner])

    def rows(self) -> tuple[Compared, ...]:
        """What was measured."""
        return tuple(
            Compared(
                one=name,
                other=partner,
                shape=self._shapes[name],
                figures=self._thresholds.worst(self._cases[name].values()),
                cases=self._cases[name],
                past=any(
                    self._thresholds.past(figures, self._layers)
                    for figures in self._cases[name].values()
                ),
            )
            for name, partner in self._pairs.items()
        )


class _Recording(Mapping[str, F32]):
    """The layers of one execution, in files."""

    def __init__(self, folder: Path, layers: Iterable[tuple[str, F32]]) -> None:
        self.layers: list[Layer] = []
        self._files: dict[str, Path] = {}
        for name, value in layers:
            self._files[name] = folder / f"{len(self._files)}.npy"
            np.save(self._files[name], value)
            self.layers.append(Layer.of(name, value))

    def __getitem__(self, name: str) -> F32:
        value: F32 = np.load(self._files[name])
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@contextmanager
def _recorded(model: Executor, feeds: Mapping[str, F32]) -> Iterator[_Recording]:
    with tempfile.TemporaryDirectory(prefix="npukit-layers-") as folder:
        yield _Recording(Path(folder), model.layers(feeds))


def _pair_outputs(
    one: Executor, wanted: Mapping[str, F32], other: Executor, found: Mapping[str, F32]
) -> dict[str, str]:
    pairs = pair_names(list(wanted), list(found))
    if not pairs:
        raise ComparisonError(
            f"no output of {one.where} is one of {other.where}: "
            f"{', '.join(wanted)} and {', '.join(found)}"
        )
    for left, right in pairs.items():
        shapes = wanted[left].shape, found[right].shape
        if np.squeeze(wanted[left]).shape != np.squeeze(found[right]).shape:
            raise ComparisonError(
                f"output {left!r} is {shapes[0]} in one model and {shapes[1]}"
                f" ({right!r}) in the other"
            )
    return pairs
