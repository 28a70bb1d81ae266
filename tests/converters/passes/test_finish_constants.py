"""Constants that lowering left are joined, but never so that fp16 suffers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from support.graphs import graph, noise, only, operators, run

from npukit_convert.passes.finish_constants import FinishConstants

K, L = noise(4, 1, 1), noise(1, 4, 1, 1, seed=1)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("a = Mul(x, k) y = Mul(a, l)", {"Mul": 1}),
        ("a = Mul(x, k) b = Mul(l, a) y = Div(b, h)", {"Mul": 1}),
        ("a = Add(x, k) y = Sub(a, l)", {"Add": 1}),
        ("a = Add(x, k) b = Add(a, l) c = Mul(b, k) y = Mul(c, h)", {"Add": 1, "Mul": 1}),
        ("a = Mul(x, k) c = Conv(a, w) y = Add(c, l)", {"Conv": 1}),
    ],
)
def test_joined(body: str, left: dict[str, int]) -> None:
    arrays: dict[str, Any] = {"k": K, "l": L, "h": np.array(0.5), "w": noise(4, 4, 1, 1)}
    used = {name: array for name, array in arrays.items() if re.search(rf"\b{name}\b[,)]", body)}
    data = graph(f"(float[1,4,5,5] x) => (float[1,4,5,5] y) {{ {body} }}", **used)
    result = run(FinishConstants(), data)
    assert operators(result.onnx) == left
    assert only(result).relative < 1e-6


@pytest.mark.parametrize(
    "body",
    [
        "a = Sub(x, h) y = Mul(a, h)",
        "a = Mul(x, h) y = Add(a, h)",
        "a = Mul(x, h) b = Mul(a, h) y = Add(a, b)",
        "a = Mul(x, h) r = Relu(a) y = Mul(r, h)",
        "a = Sub(h, x) y = Sub(h, a)",
    ],
    ids=["sum-first", "product-first", "used-twice", "relu-between", "signs"],
)
def test_left_alone(body: str) -> None:
    data = graph(f"(float[1,4,5,5] x) => (float[1,4,5,5] y) {{ {body} }}", h=np.array(5.0))
    assert run(FinishConstants(), data).onnx == data


def test_equal_numbers_become_one() -> None:
    text = "(float[1,4,5,5] x) => (float[1,4,5,5] y) { a = Mul(x, k) y = Mul(a, h) }"
    data = graph(text, k=np.full((4, 1, 1), 3.0), h=np.array(5.0))
    result = run(FinishConstants(), data)
    assert operators(result.onnx) == {"Mul": 1}
    assert only(result).max_abs < 1e-4
