"""Percentiles against numpy, in memory that does not grow."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit.metrics import Timings

WIDTH = 10 ** (1 / 100)  # ratio of a bucket's ends: a hundred buckets a decade


def filled(seconds) -> Timings:
    timings = Timings()
    for value in seconds:
        timings.add(float(value))
    return timings


DISTRIBUTIONS = {
    "lognormal": lambda random: random.lognormal(-5, 1, 5000),
    "uniform": lambda random: random.uniform(1e-3, 30e-3, 5000),
    "two peaks": lambda random: np.concatenate(
        [random.normal(2e-3, 1e-4, 4700), random.normal(80e-3, 1e-3, 300)]
    ),
    "constant": lambda _: np.full(100, 33e-3),
    "one": lambda _: np.array([0.25]),
    "two": lambda _: np.array([1e-6, 100.0]),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("percent", [1, 25, 50, 95, 99, 100])
def test_percentiles_are_within_a_bucket_of_numpys(name: str, percent: float) -> None:
    seconds = DISTRIBUTIONS[name](np.random.default_rng(0))
    exact = np.percentile(seconds, percent, method="inverted_cdf")
    found = filled(seconds).percentile(percent)
    assert exact / WIDTH <= found <= exact * WIDTH


@given(st.lists(st.floats(2e-7, 900.0), min_size=1, max_size=60), st.floats(0.1, 100.0))
def test_any_percentile_of_anything_is_within_a_bucket(seconds: list[float], percent: float):
    exact = np.percentile(seconds, percent, method="inverted_cdf")
    found = filled(seconds).percentile(percent)
    # Beside a step, rounding of `count * percent` decides which of two readings it is.
    near = [
        np.percentile(seconds, min(max(percent + shift, 0), 100), method="inverted_cdf")
        for shift in (-1e-9, 1e-9)
    ]
    assert min(exact, *near) / WIDTH <= found <= max(exact, *near) * WIDTH


def test_counts_and_sums_are_exact() -> None:
    timings = filled([0.001, 0.002, 0.5])
    assert timings.count == 3
    assert timings.total_s == pytest.approx(0.503)


def test_the_shortest_and_the_longest_are_counted() -> None:
    timings = filled([0.0, -1e-9, 1e-9, 5e3, 1e9])
    assert timings.count == 5
    assert timings.percentile(50) < 2e-7
    assert 1000.0 / WIDTH <= timings.percentile(99) <= 1000.0


def test_without_readings_all_is_zero() -> None:
    assert Timings().to_dict() == {"count": 0, "p50_ms": 0.0, "p95_ms": 0.0, "p99_ms": 0.0}


def test_the_report_is_in_milliseconds_and_rises() -> None:
    data = filled(np.random.default_rng(1).lognormal(-5, 1, 1000)).to_dict()
    assert list(data) == ["count", "p50_ms", "p95_ms", "p99_ms"]
    assert data["count"] == 1000
    assert data["p50_ms"] < data["p95_ms"] < data["p99_ms"]
    assert data["p50_ms"] == pytest.approx(1e3 * np.exp(-5), rel=0.15)


def test_memory_does_not_grow() -> None:
    timings = filled([1e-3])

    def size() -> int:
        values = vars(timings).values()
        return sum(
            value.nbytes if isinstance(value, np.ndarray) else sys.getsizeof(value)
            for value in values
        )

    before = size()
    assert before < 20000
    for value in np.random.default_rng(2).lognormal(-5, 3, 20000):
        timings.add(float(value))
    assert size() == before
    assert timings.count == 20001
