"""The search: the floor holds, nothing is returned needlessly, the same every time, in bounds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npukit_convert.quantization.plans.kernels import Layers
from npukit_convert.quantization.plans.mixed import MOST_EVALUATIONS, Found, blame, search
from npukit_convert.quantization.plans.plan import PrecisionPlan
from npukit_convert.quantization.plans.sensitivity import sensitivity


@dataclass(frozen=True)
class Verdict:
    margin: float


def network(count: int) -> tuple[Layers, PrecisionPlan]:
    names = [f"conv{number:03}" for number in range(count)]
    operators = dict.fromkeys(names, "Conv")
    feeding = {name: (f"input {name}",) for name in names}
    return (
        Layers(operators, {}, feeding, {}, operators),
        PrecisionPlan("int8_mixed", dict.fromkeys(names, "int8")),
    )


def noise_judge(noises: dict[str, float], allowed: float, seen: list[PrecisionPlan] | None = None):
    """Noise powers of the layers in int8 add up; the floor is a most."""

    def judge(plan: PrecisionPlan) -> Verdict:
        if seen is not None:
            seen.append(plan)
        return Verdict(allowed - sum(noises[name] for name in plan.int8()))

    return judge


def alone(noises: dict[str, float]) -> dict[str, float]:
    return {
        name: math.inf if not power else -10 * math.log10(power) for name, power in noises.items()
    }


def run(noises: dict[str, float], allowed: float, costs: dict[str, float] | None = None,
        seen: list[PrecisionPlan] | None = None) -> Found[Verdict]:  # fmt: skip
    layers, plan = network(len(noises))
    saved = (lambda _: 1.0) if costs is None else (lambda name: costs[name])
    return search(
        plan, layers, blame(alone(noises), saved), noise_judge(noises, allowed, seen), saved
    )


def test_one_bad_layer_is_returned_alone() -> None:
    noises = {f"conv{number:03}": 1e-6 for number in range(100)}
    noises["conv042"] = 1.0
    found = run(noises, 1e-3)
    assert found.returned == ("conv042",)
    assert found.plan.fp16() == ["conv042"]
    assert found.judgement.margin >= 0
    assert found.evaluations <= 2 + 7 + 1


def test_a_floor_that_holds_at_once_returns_nothing() -> None:
    found = run(dict.fromkeys(["conv000", "conv001"], 0.1), 1.0)
    assert (found.evaluations, found.returned) == (1, ())
    assert found.plan.int8() == ["conv000", "conv001"]


def test_a_floor_that_float32_misses_ends_at_once() -> None:
    found = run(dict.fromkeys(["conv000", "conv001"], 0.1), -1.0)
    assert found.judgement.margin < 0
    assert found.evaluations == 2
    assert found.plan.int8() == []


def test_the_cheaper_of_two_equal_layers_is_returned() -> None:
    noises = {"conv000": 0.5, "conv001": 0.5, "conv002": 1e-6}
    found = run(noises, 0.6, {"conv000": 100.0, "conv001": 1.0, "conv002": 1.0})
    assert found.returned == ("conv001",)


def test_an_expensive_layer_comes_back_where_cheap_ones_do() -> None:
    """Greedy by trade alone would return the dear layer, too."""
    noises = {"conv000": 1.0, "conv001": 0.52, "conv002": 0.5, "conv003": 0.0}
    costs = {"conv000": 3.0, "conv001": 1.0, "conv002": 1.0, "conv003": 5.0}
    found = run(noises, 1.1, costs)
    assert found.judgement.margin >= 0
    assert set(found.returned) == {"conv001", "conv002"}


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.lists(st.floats(0.1, 10), min_size=8, max_size=8),
    st.floats(0, 4),
)
def test_no_returned_layer_can_be_taken_back(
    powers: list[float], prices: list[float], allowed: float
) -> None:
    noises = {f"conv{number:03}": power for number, power in enumerate(powers)}
    costs = {name: prices[place] for place, name in enumerate(noises)}
    found = run(noises, allowed, costs)
    judge = noise_judge(noises, allowed)
    assert found.judgement.margin >= 0, "float32 holds it"
    int8 = found.plan.int8()
    for name in found.returned:
        assert judge(found.plan.with_int8([*int8, name])).margin < 0 or noises[name] == 0
    assert found == run(noises, allowed, costs)
    # Against all subsets: what is given up is at most the best way plus one layer.
    best = min(
        sum(costs[name] for name in gone)
        for count in range(len(noises) + 1)
        for gone in itertools.combinations(noises, count)
        if judge(found.plan.with_int8(noises.keys() - set(gone))).margin >= 0
    )
    assert sum(costs[name] for name in found.returned) <= best + max(costs.values()) * 2


@pytest.mark.parametrize("count", [300, 1000])
def test_the_number_of_evaluations_is_bounded(count: int) -> None:
    noises = {f"conv{number:03}": 1.0 + number / count for number in range(count)}
    seen: list[PrecisionPlan] = []
    found = run(noises, count / 2, seen=seen)
    assert found.judgement.margin >= 0
    assert len(seen) == found.evaluations <= MOST_EVALUATIONS


def test_elementwise_layers_come_back_with_what_feeds_them() -> None:
    """a -> add <- b: with `a` in float the addition is, too; when `a` comes back so does it."""
    operators = {"a": "Conv", "b": "Conv", "add": "Add", "end": "Conv"}
    feeding = {"a": ("input x",), "b": ("a",), "add": ("a", "b"), "end": ("add",)}
    layers = Layers(operators, {}, feeding, {}, operators)
    plan = PrecisionPlan("int8_mixed", dict.fromkeys(operators, "int8"))
    noises = {"a": 0.3, "b": 0.1, "add": 0.2, "end": 1.0}
    seen: list[PrecisionPlan] = []
    found = search(
        plan, layers, ["a", "add", "end", "b"], noise_judge(noises, 0.65, seen), lambda _: 1.0
    )
    assert found.returned == ("end",)
    assert found.plan.int8() == ["a", "b", "add"]
    assert all("add" not in one.int8() or "a" in one.int8() for one in seen)


def test_blame_weighs_noise_by_what_is_lost() -> None:
    decibels = {"loud": 20.0, "cheap": 30.0, "quiet": 50.0, "perfect": math.inf, "dead": -math.inf}
    assert blame(decibels) == ["dead", "loud", "cheap", "quiet", "perfect"]
    dear = blame(decibels, lambda name: 1000.0 if name == "loud" else 1.0)
    assert dear == ["dead", "cheap", "loud", "quiet", "perfect"]
    free = blame(decibels, lambda name: -5.0 if name == "quiet" else 1.0)
    assert free.index("quiet") < free.index("cheap"), "int8 gains nothing there"


def test_each_layer_is_measured_alone() -> None:
    _, plan = network(3)
    plan = plan.with_int8(["conv000", "conv002"])
    asked: list[list[str]] = []

    def psnr(one: PrecisionPlan) -> float:
        asked.append(one.int8())
        return float(len(asked))

    assert sensitivity(plan, psnr) == {"conv000": 1.0, "conv002": 2.0}
    assert asked == [["conv000"], ["conv002"]]


def test_many_layers_are_measured_in_runs_whose_noise_is_shared_out() -> None:
    noises = {f"conv{number:03}": 1e-4 * (1 + number // 4) for number in range(10)}
    _, plan = network(len(noises))
    asked: list[list[str]] = []

    def psnr(one: PrecisionPlan) -> float:
        asked.append(one.int8())
        return -10 * math.log10(sum(noises[name] for name in one.int8()))

    found = sensitivity(plan, psnr, most=4)
    assert [len(one) for one in asked] == [2, 3, 2, 3]
    assert list(found) == [*noises]
    total = sum(10 ** (-decibels / 10) for decibels in found.values())
    assert total == pytest.approx(sum(noises.values()))
    assert sensitivity(plan.with_int8([]), psnr) == {}
