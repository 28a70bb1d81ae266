"""Forms of a network are told apart by what they compute, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from npukit.arrays import F32
from npukit_convert.compare import Case
from npukit_convert.errors import ConversionError
from npukit_convert.execute.base import Executor
from npukit_convert.figures import Thresholds
from npukit_convert.verify import Verifier

SHAPE = (1, 4)
NOISE, FRAME = np.float32([[1, -2, 3, -4]]), np.float32([[0, 0.5, 0.25, 1]])


class Formula(Executor):
    """A network that a function is."""

    engine = "a formula"

    def __init__(self, compute: Callable[[F32], F32], into: str = "x") -> None:
        super().__init__("here", {into: SHAPE}, ("out",))
        self._compute = compute

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        (value,) = feeds.values()
        return {"out": self._compute(value)}

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        yield from self._run(feeds).items()


@pytest.fixture
def verifier() -> Verifier:
    cases = [Case("noise of 1", {"x": NOISE}), Case("frame 0", {"x": FRAME})]
    made = Verifier(cases, ["y"], Thresholds(max_abs=0.01, cosine=0.9999))
    assert made.check("first", Formula(lambda x: 2 * x), ["out"], "it") is None
    return made


def test_the_figures_are_those_of_the_difference(verifier: Verifier) -> None:
    done = verifier.check("second", Formula(lambda x: 2 * x + 0.0078125), ["out"], "it")
    assert done is not None
    assert (done.form, done.engine, done.against) == ("second", "a formula", "first")
    for figures in (done.noise, done.frames, done.outputs["y"]):
        assert figures is not None
        assert figures.max_abs == 0.0078125
    assert done.noise is not None
    assert done.frames is not None
    assert (done.noise.peak, done.frames.peak) == (8.0, 2.0078125)
    assert done.to_dict()["outputs"]["y"]["max_abs"] == 0.0078125


def test_each_form_is_compared_with_the_one_before(verifier: Verifier) -> None:
    """Small steps add up: what is allowed is allowed of each."""
    for step in range(1, 4):
        form = Formula(lambda x, step=step: 2 * x + 0.005 * step)
        done = verifier.check(f"form {step}", form, ["out"], "it")
        assert done is not None
        assert done.noise is not None
        assert done.noise.max_abs == pytest.approx(0.005, abs=1e-6)
    assert done.against == "form 2"


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: 2 * x + 0.1 * (x == 1), "second differs from first by 0.1 on noise of 1"),
        (lambda x: 2 * x + 0.1 * (x == 0.25), "differs from first by 0.1 on frame 0"),
        (lambda x: -2 * x, "output 'y'"),
        (lambda x: np.where(x > 2, np.nan, 2 * x), "'y' holds 1 NaN or infinity on noise of 1"),
        (lambda x: np.where(x > 2, np.inf, 2 * x), "NaN or infinity"),
        (lambda x: x[:, :2], r"has shape \[1, 2\] in second, \[1, 4\] in first on noise of 1"),
    ],
)
def test_another_result_is_refused(
    verifier: Verifier, compute: Callable[[F32], F32], message: str
) -> None:
    with pytest.raises(ConversionError, match=message) as caught:
        verifier.check("second", Formula(compute), ["out"], "it")
    assert caught.value.where == "it"


def test_large_numbers_may_differ_by_more(verifier: Verifier) -> None:
    """By 0.01 of the largest, here 8."""
    assert verifier.check("b", Formula(lambda x: 2 * x + 0.05 * (x < -3)), ["out"], "it")


def test_sides_of_one_do_not_count(verifier: Verifier) -> None:
    assert verifier.check("b", Formula(lambda x: (2 * x)[0]), ["out"], "it")


def test_a_form_may_take_other_inputs(verifier: Verifier) -> None:
    verifier.feed_otherwise(lambda feeds: {"z": feeds["x"] / 2})
    done = verifier.check("b", Formula(lambda z: 4 * z, "z"), ["out"], "it")
    assert done is not None
    assert done.outputs["y"].max_abs == 0
