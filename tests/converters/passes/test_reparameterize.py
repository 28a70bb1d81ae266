"""Summed branches become one convolution; sums that are none of these stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import graph, noise, only, operators, run

from npukit_convert.parallel import Branch, merge
from npukit_convert.passes.reparameterize import Reparameterize

NORM = "BatchNormalization(x, gamma, beta, mean, var)"


def norm(channels: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        "gamma": random.normal(1, 0.3, channels),
        "beta": random.normal(0, 0.3, channels),
        "mean": random.normal(0, 0.3, channels),
        "var": random.uniform(0.2, 2, channels),
    }


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    groups=st.sampled_from([1, 2, 4]),
    per_group=st.integers(1, 3),
    stride=st.integers(1, 2),
    identity=st.sampled_from(["none", "norm", "plain"]),
    height=st.integers(5, 8),
    dilation=st.integers(1, 2),
)
def test_repvgg_blocks(
    groups: int, per_group: int, stride: int, identity: str, height: int, dilation: int
) -> None:
    channels = groups * per_group
    third = {"none": "", "norm": f"c = {NORM}", "plain": "c = Identity(x)"}
    last = "s" if stride == 2 or identity == "none" else "s, c"
    text = f"""(float[1,{channels},{height},7] x) => (float[1,{channels},p,q] y) {{
        a = Conv<group = {groups}, strides = [{stride}, {stride}], dilations = [{dilation},
            {dilation}], pads = [{dilation}, {dilation}, {dilation}, {dilation}]>(x, w, b)
        d = Conv<group = {groups}, strides = [{stride}, {stride}]>(x, v)
        {third[identity] if "c" in last else ""}
        s = Add(a, d) t = Sum({last}) y = Relu(t) }}"""
    if identity == "plain":
        text = text.replace("c = Identity(x)", "").replace("s, c", "s, x")
    weights = {
        "w": noise(channels, per_group, 3, 3),
        "v": noise(channels, per_group, 1, 1, seed=2),
        "b": noise(channels),
        **norm(channels),
    }
    result = run(Reparameterize(), graph(text, **weights))
    assert only(result).relative < 1e-5
    assert only(result).changes
    rest = {key: count for key, count in operators(result.onnx).items() if key != "Sum"}
    assert rest == {"Conv": 1, "Relu": 1}


def test_what_is_not_of_the_same_input_is_added_as_before() -> None:
    text = """(float[1,4,6,6] x, float[1,4,6,6] z) => (float[1,4,6,6] y) {
        a = Conv<pads = [1, 1, 1, 1]>(x, w) b = Conv(x, v) r = Relu(z) c = Conv(r, v)
        s = Add(a, r) t = Add(s, b) y = Add(t, c) }"""
    result = run(Reparameterize(), graph(text, w=noise(4, 4, 3, 3), v=noise(4, 4, 1, 1)))
    # x's two and z's pair of convolution and identity
    assert operators(result.onnx) == {"Conv": 2, "Relu": 1, "Add": 1}
    assert len(only(result).changes) == 2
    assert only(result).relative < 1e-5


@pytest.mark.parametrize(
    "body",
    [
        "a = Conv<pads = [0, 1, 0, 1]>(x, row) b = Conv<pads = [1, 0, 1, 0]>(x, column)",
        "a = Conv<pads = [1, 1, 1, 1]>(x, w) r = Relu(x) b = Conv(r, v)",
        "a = Conv<pads = [1, 1, 1, 1]>(x, w) k = Conv(x, v) b = Relu(k)",
        "a = Conv<pads = [1, 1, 1, 1]>(x, w) b = Conv<group = 2>(x, u)",
        "a = Relu(x) b = Sigmoid(x)",
    ],
    ids=["cross", "other-input", "relu-between", "other-groups", "no-convolution"],
)
def test_what_cannot_be_merged_stays(body: str) -> None:
    weights = {
        "row": noise(4, 4, 1, 3),
        "column": noise(4, 4, 3, 1),
        "w": noise(4, 4, 3, 3),
        "v": noise(4, 4, 1, 1),
        "u": noise(4, 2, 1, 1),
    }
    used = {name: array for name, array in weights.items() if f" {name})" in body}
    data = graph(f"(float[1,4,6,6] x) => (float[1,4,6,6] y) {{ {body} y = Add(a, b) }}", **used)
    result = run(Reparameterize(), data)
    assert only(result).changes == ()
    assert result.onnx == data


def test_a_branch_that_is_used_elsewhere_stays() -> None:
    text = """(float[1,4,6,6] x) => (float[1,4,6,6] y, float[1,4,6,6] z) {
        a = Conv<pads = [1, 1, 1, 1]>(x, w) b = Conv(x, v) y = Add(a, b) z = Relu(b) }"""
    data = graph(text, w=noise(4, 4, 3, 3), v=noise(4, 4, 1, 1))
    assert run(Reparameterize(), data).onnx == data


def test_cross_and_square_of_acnet() -> None:
    square, row, column = noise(4, 4, 3, 3), noise(4, 4, 1, 3), noise(4, 4, 3, 1)
    merged = merge(
        [
            Branch(square, np.ones(4), pads=(1, 1, 1, 1)),
            Branch(row, np.ones(4), pads=(0, 1, 0, 1)),
            Branch(column, np.ones(4), pads=(1, 0, 1, 0)),
        ]
    )
    assert merged is not None
    expected = square.copy()
    expected[:, :, 1:2, :] += row
    expected[:, :, :, 1:2] += column
    np.testing.assert_allclose(merged.kernel, expected)
    np.testing.assert_allclose(merged.bias, 3)


def test_taps_between_those_of_a_dilated_kernel() -> None:
    dilated = Branch(noise(2, 2, 3, 3), np.zeros(2), pads=(2, 2, 2, 2), dilations=(2, 2))
    plain = Branch(noise(2, 2, 3, 3), np.zeros(2), pads=(1, 1, 1, 1))
    assert merge([dilated, plain]) is None
