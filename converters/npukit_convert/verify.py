"""Each form of a network executed on the same inputs, and compared with the form before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npukit.arrays import F32
from npukit_convert.compare import Case
from npukit_convert.errors import ConversionError
from npukit_convert.execute.base import Executor
from npukit_convert.figures import Figures, Thresholds, difference

NOISE = "noise"
_HINT = "`npukit compare` finds the layer; `verify.max_abs` and `verify.cosine` say what is allowed"


@dataclass(frozen=True)
class Verified:
    """What an execution gave, against the one before.

    Attributes:
        form: of the network, such as `ONNX (simplified)`.
        engine: that executed it.
        against: the form before.
        outputs: figures by output, the worst of all inputs.
        noise, frames: the worst of all outputs, by kind of input; None without such inputs.
    """

    form: str
    engine: str
    against: str
    outputs: Mapping[str, Figures]
    noise: Figures | None
    frames: Figures | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        kinds = {"noise": self.noise, "frames": self.frames}
        return {
            "form": self.form,
            "engine": self.engine,
            "against": self.against,
            "outputs": {name: one.to_dict() for name, one in self.outputs.items()},
            **{kind: None if one is None else one.to_dict() for kind, one in kinds.items()},
        }


class Verifier:
    """Holds the inputs, and the results of the last form that was found right."""

    def __init__(self, cases: Sequence[Case], outputs: Sequence[str], allowed: Thresholds) -> None:
        """Compare these outputs on these cases.

        Args:
            cases: inputs by the network's own names; named `noise...` or after a frame.
            outputs: names for people, in the network's order.
            allowed: `max_abs` is taken times an output's peak where that is above 1.
        """
        self.cases = list(cases)
        self.outputs = tuple(outputs)
        self._allowed = allowed
        self._form = ""
        self._results: list[dict[str, F32]] = []

    def fork(self) -> Verifier:
        """One that goes on from the same form by itself."""
        return copy.copy(self)

    def feed_otherwise(self, change: Callable[[Mapping[str, F32]], Mapping[str, F32]]) -> None:
        """From now on give what `change` makes of the inputs: the network takes others."""
        self.cases = [Case(case.name, change(case.feeds)) for case in self.cases]

    def check(
        self, form: str, executor: Executor, names: Sequence[str], where: str
    ) -> Verified | None:
        """Execute a form; the first is the reference of the second, and so on.

        Args:
            form: its name, for people.
            executor: holds it.
            names: the executor's name of each output.
            where: what is converted, for messages.

        Returns:
            The figures; None for the first form.

        Raises:
            ConversionError: they are past what is allowed, or not finite.
            ExecutionError: the engine fails.
        """
        results = []
        for case in self.cases:
            found = executor.run(case.feeds)
            results.append(
                {output: found[name] for output, name in zip(self.outputs, names, strict=True)}
            )
        before, self._results = self._results, results
        against, self._form = self._form, form
        return self._compare(before, against, executor.engine, where) if before else None

    def _compare(
        self, before: list[dict[str, F32]], against: str, engine: str, where: str
    ) -> Verified:
        for case, old, new in zip(self.cases, before, self._results, strict=True):
            for name in self.outputs:
                if _sides(old[name]) != _sides(new[name]):
                    raise ConversionError(
                        f"output {name!r} has shape {list(new[name].shape)} in {self._form}, "
                        f"{list(old[name].shape)} in {against} on {case.name}",
                        where=where,
                    )
        figures = [
            {name: difference(one[name], other[name]) for name in self.outputs}
            for one, other in zip(before, self._results, strict=True)
        ]
        for case, by_output in zip(self.cases, figures, strict=True):
            for name, one in by_output.items():
                if self._allowed.past(one, layer=True):
                    raise ConversionError(
                        _told(name, one, case, self._form, against), where=where, hint=_HINT
                    )
        noise, frames = (
            [one for case, one in zip(self.cases, figures, strict=True) if _is_noise(case) == kind]
            for kind in (True, False)
        )
        return Verified(
            self._form,
            engine,
            against,
            {
                name: self._allowed.worst(by_output[name] for by_output in figures)
                for name in self.outputs
            },
            self._worst(noise),
            self._worst(frames),
        )

    def _worst(self, several: Sequence[Mapping[str, Figures]]) -> Figures | None:
        if not several:
            return None
        return self._allowed.worst(one for each in several for one in each.values())


def _is_noise(case: Case) -> bool:
    return case.name.startswith(NOISE)


def _sides(value: F32) -> tuple[int, ...]:
    """The sides that are longer than 1: engines disagree on the others of some results."""
    return tuple(side for side in value.shape if side != 1)


def _told(output: str, figures: Figures, case: Case, form: str, against: str) -> str:
    if figures.not_finite:
        return f"output {output!r} holds {figures.not_finite} NaN or infinity on {case.name}"
    return (
        f"{form} differs from {against} by {figures.max_abs:.2g} on {case.name}, "
        f"output {output!r} (largest number {figures.peak:.2g})"
    )
