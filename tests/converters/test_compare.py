"""Two executions compared: which tensors, which figures, which layer first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import pytest

from npukit.arrays import F32
from npukit_convert.compare import Case, compare
from npukit_convert.errors import ComparisonError
from npukit_convert.execute.base import Executor
from npukit_convert.figures import Thresholds


class Chain(Executor):
    """x -> double -> plus one -> square; `wrong` is added to the layer of that name."""

    engine: ClassVar[str] = "chain"

    def __init__(self, wrong: Mapping[str, float] | None = None, out: str = "out") -> None:
        super().__init__("chain", {"x": (1, 2)}, (out,))
        self.wrong = dict(wrong or {})

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        value = feeds["x"]
        for name, step in (
            ("double", lambda x: 2 * x), ("more", lambda x: x + 1), ("square", lambda x: x * x)
        ):  # fmt: skip
            value = np.float32(step(value) + self.wrong.get(name, 0.0))
            yield name, value

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        return {self.outputs[0]: dict(self._layers(feeds))["square"]}


CASES = [
    Case("large", {"x": np.array([[1.0, -2.0]], np.float32)}),
    Case("small", {"x": np.array([[0.01, 0.02]], np.float32)}),
]


def test_equal_models() -> None:
    result = compare(Chain(), Chain(out="alpha"), CASES, layers=True)
    assert not result.past
    assert result.first_past is None
    assert [(row.one, row.other) for row in result.outputs] == [("out", "alpha")]
    assert [row.one for row in result.layers] == ["double", "more", "square"]
    assert result.unpaired == ((), ())
    assert all(row.figures.max_abs == 0 for row in (*result.outputs, *result.layers))


def test_the_first_wrong_layer_and_the_worst_case() -> None:
    result = compare(Chain(), Chain({"more": 0.25}), CASES, layers=True)
    assert result.past
    assert result.first_past is not None
    assert result.first_past.one == "more"
    (output,) = result.outputs
    # (x + 1.25)^2 - (x + 1)^2 = 0.5 (x + 1) + 0.0625, largest for 2x = 2 and, here, -4.
    assert output.cases["large"].max_abs == pytest.approx(1.5625)
    assert output.cases["small"].max_abs == pytest.approx(0.5825)
    assert output.figures.max_abs == output.cases["large"].max_abs
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["first_layer_past"] == "more"
    assert data["layers"][0]["snr_db"] is None, "equal: no noise"
    assert data["cases"] == ["large", "small"]


def test_layers_only_when_asked_for() -> None:
    assert compare(Chain(), Chain(), CASES).layers == ()


def test_thresholds_decide() -> None:
    wrong = Chain({"square": 0.125})
    assert compare(Chain(), wrong, CASES).past
    assert not compare(Chain(), wrong, CASES, Thresholds(0.125, -1.0)).past


def test_not_a_number_is_past_every_threshold() -> None:
    result = compare(
        Chain(), Chain({"more": float("nan")}), CASES, Thresholds(1e9, -1), layers=True
    )
    assert result.past
    assert result.first_past is not None
    assert result.first_past.one == "more"
    same = Chain({"square": float("nan")})
    assert compare(same, same, CASES, Thresholds(1e9, -1)).past


def test_a_model_may_be_fed_with_its_own() -> None:
    own = [Case("own", case.feeds, {"x": case.feeds["x"] + 1}) for case in CASES]
    assert compare(Chain(), Chain(), own).past


def test_nothing_to_feed() -> None:
    with pytest.raises(ComparisonError, match="nothing to feed"):
        compare(Chain(), Chain(), [])


def test_outputs_of_other_shapes_cannot_be_compared() -> None:
    class Wider(Chain):
        def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
            return {"out": np.zeros((1, 3), np.float32)}

    with pytest.raises(ComparisonError, match=r"output 'out' is \(1, 2\) .* and \(1, 3\)"):
        compare(Chain(), Wider(), CASES)
