"""The figures of a comparison, against their formulas and at their edges."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npukit_convert.figures import Thresholds, difference


def array(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.float32)


NUMBERS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=20)


@given(NUMBERS, st.floats(0.015625, 1.0, width=32))
def test_the_formulas(values: list[float], offset: float) -> None:
    one = array(*values)
    other = one + np.float32(offset)
    found = difference(one, other)
    a, b = one.astype(float), other.astype(float)
    assert found.max_abs == np.abs(a - b).max()
    assert found.mean_abs == pytest.approx(np.abs(a - b).mean())
    assert found.peak == max(np.abs(a).max(), np.abs(b).max())
    if np.abs(a).max() > 1e-9 and np.abs(b).max() > 1e-9:
        cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        assert found.cosine == pytest.approx(cosine, abs=1e-9)
        snr = 10 * math.log10((a @ a) / ((a - b) @ (a - b)))
        assert found.snr_db == pytest.approx(snr, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "cosine", "snr"),
    [
        ((0, 0), (0, 0), 1, math.inf),
        ((0, 0), (1, 0), 0, -math.inf),
        ((1, 0), (0, 0), 0, 0),
        ((2, 2), (2, 2), 1, math.inf),
        ((2, 2), (3, 3), 1, 10 * math.log10(4)),
        ((1, 2), (-1, -2), -1, 10 * math.log10(1 / 4)),
        ((1e-30, 0), (1e-30, 0), 1, math.inf),
        ((), (), 1, math.inf),
    ],
)
def test_zeros_and_constants(
    one: tuple[float, ...], other: tuple[float, ...], cosine: float, snr: float
) -> None:
    found = difference(array(*one), array(*other))
    assert found.cosine == pytest.approx(cosine)
    assert found.snr_db == pytest.approx(snr)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_equals_nothing(bad: float) -> None:
    for one, other in ((array(1, bad), array(1, bad)), (array(1, bad), array(1, 2))):
        found = difference(one, other)
        assert found.not_finite == 1
        assert Thresholds(1e9, -1).past(found)
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["max_abs"] is None


def test_thresholds_of_outputs_and_layers() -> None:
    limits = Thresholds(max_abs=0.01, cosine=0.9)
    far = difference(array(100, 0), array(100.5, 0))
    assert limits.past(far)
    assert not limits.past(far, layer=True), "times the peak"
    assert limits.past(difference(array(1, 0), array(0, 1)), layer=True)
    # Nothing on both sides: cosine 0, but no failure.
    assert not limits.past(difference(array(0, 0), array(1e-8, 0)))


def test_the_worst_of_several() -> None:
    limits = Thresholds(max_abs=0.01)
    silent, good, bad = (
        difference(array(0, 0), array(1e-8, 0)),
        difference(array(1, 0), array(1, 0)),
        difference(array(1, 0), array(1, 0.5)),
    )
    assert limits.worst([silent, good]).cosine == 1
    worst = limits.worst([silent, good, bad])
    assert (worst.max_abs, worst.cosine) == (bad.max_abs, bad.cosine)
    broken = difference(array(math.nan), array(1))
    assert limits.past(limits.worst([good, broken]))
