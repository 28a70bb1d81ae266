"""Scales and shifts move into weights where that is exact, and stay where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import graph, noise, only, operators, run

from npukit_convert.passes.fold_batch_norm import FoldBatchNorm


def norm(channels: int, seed: int = 1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "gamma": random.normal(1, 0.3, channels),
        "beta": random.normal(0, 0.3, channels),
        "mean": random.normal(0, 0.3, channels),
        "var": random.uniform(0.2, 2, channels),
    }


NORM = "BatchNormalization<epsilon = 0.001>"


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    groups=st.sampled_from([1, 2, 4]),
    per_in=st.integers(1, 3),
    per_out=st.integers(1, 3),
    transposed=st.booleans(),
    bias=st.booleans(),
    stride=st.integers(1, 2),
)
def test_batch_norm_after_a_convolution(
    groups: int, per_in: int, per_out: int, transposed: bool, bias: bool, stride: int
) -> None:
    into, out = groups * per_in, groups * per_out
    operator = "ConvTranspose" if transposed else "Conv"
    kernel = noise(into, per_out, 3, 3) if transposed else noise(out, per_in, 3, 3)
    weights = {"w": kernel, **norm(out), **({"b": noise(out)} if bias else {})}
    text = f"""(float[1,{into},6,6] x) => (float[1,{out},p,q] y) {{
        c = {operator}<group = {groups}, strides = [{stride}, {stride}]>(x, w{", b" * bias})
        y = {NORM}(c, gamma, beta, mean, var) }}"""
    result = run(FoldBatchNorm(), graph(text, **weights))
    assert operators(result.onnx) == {operator: 1}
    assert only(result).relative < 1e-5


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_gemm_with_alpha_and_beta(transposed: int) -> None:
    weights = noise(5, 3) if transposed else noise(3, 5)
    text = f"""(float[1,3] x) => (float[1,5] y) {{
        g = Gemm<alpha = 0.5, beta = 2.0, transB = {transposed}>(x, w, b)
        y = {NORM}(g, gamma, beta, mean, var) }}"""
    result = run(FoldBatchNorm(), graph(text, w=weights, b=noise(5), **norm(5)))
    assert operators(result.onnx) == {"Gemm": 1}
    assert only(result).relative < 1e-5


@pytest.mark.parametrize(
    ("body", "constant"),
    [
        ("y = Mul(c, k)", noise(4, 1, 1)),
        ("y = Add(k, c)", noise(1, 4, 1, 1)),
        ("y = Sub(k, c)", noise(4, 1, 1)),
        ("y = Sub(c, k)", np.array(0.7)),
        ("y = Div(c, k)", noise(4, 1, 1) + 3),
        ("d = Mul(c, k) e = Add(d, k) y = Div(e, k)", noise(4, 1, 1) + 3),
    ],
)
def test_constants_after_a_convolution(body: str, constant: Any) -> None:
    text = f"(float[1,2,5,5] x) => (float[1,4,3,3] y) {{ c = Conv(x, w) {body} }}"
    result = run(FoldBatchNorm(), graph(text, w=noise(4, 2, 3, 3), k=constant))
    assert operators(result.onnx) == {"Conv": 1}
    assert only(result).relative < 1e-5


@pytest.mark.parametrize(
    ("body", "constant"),
    [
        ("c = Conv(x, w) y = Mul(c, k)", noise(1, 1, 3, 3)),  # varies over the picture
        ("c = Conv(x, w) y = Div(k, c)", np.array(2.0)),
        ("c = Conv(x, w) y = Add(c, k)", noise(2, 4, 3, 3)),  # makes the result larger
        ("c = Conv(x, w) r = Relu(c) y = Mul(r, k)", np.array(2.0)),
        ("c = Conv(x, w) m = Mul(c, k) y = Add(m, c)", np.array(2.0)),  # used twice
    ],
)
def test_what_cannot_be_folded_stays(body: str, constant: Any) -> None:
    text = f"(float[1,2,5,5] x) => (float[n,4,3,3] y) {{ {body} }}"
    data = graph(text, w=noise(4, 2, 3, 3), k=constant)
    result = run(FoldBatchNorm(), data)
    assert only(result).changes == ()
    assert result.onnx == data


def test_a_convolution_that_is_an_output_keeps_its_numbers() -> None:
    text = """(float[1,2,5,5] x) => (float[1,4,3,3] c, float[1,4,3,3] y) {
        c = Conv(x, w) y = Mul(c, k) }"""
    data = graph(text, w=noise(4, 2, 3, 3), k=np.array(2.0))
    assert run(FoldBatchNorm(), data).onnx == data


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_batch_norm_before_a_convolution_without_padding(groups: int) -> None:
    text = f"""(float[1,4,5,5] x) => (float[1,8,3,3] y) {{
        n = {NORM}(x, gamma, beta, mean, var) y = Conv<group = {groups}>(n, w, b) }}"""
    weights = {"w": noise(8, 4 // groups, 3, 3), "b": noise(8), **norm(4)}
    result = run(FoldBatchNorm(), graph(text, **weights))
    assert operators(result.onnx) == {"Conv": 1}
    assert only(result).relative < 1e-5


def test_a_shift_stays_before_a_convolution_that_pads_zeros() -> None:
    text = f"""(float[1,4,5,5] x) => (float[1,8,5,5] y) {{
        n = {NORM}(x, gamma, beta, mean, var) y = Conv<pads = [1, 1, 1, 1]>(n, w) }}"""
    data = graph(text, w=noise(8, 4, 3, 3), **norm(4))
    assert run(FoldBatchNorm(), data).onnx == data


def test_a_scale_goes_into_a_convolution_that_pads_zeros() -> None:
    text = """(float[1,4,5,5] x) => (float[1,8,5,5] y, float[1,2,5,5] z) {
        n = Mul(x, k) y = Conv<pads = [1, 1, 1, 1]>(n, w) z = Conv<group = 2>(n, v) }"""
    data = graph(text, k=noise(4, 1, 1), w=noise(8, 4, 3, 3), v=noise(2, 2, 1, 1))
    result = run(FoldBatchNorm(), data)
    assert operators(result.onnx) == {"Conv": 2}
    assert only(result).relative < 1e-5


@pytest.mark.parametrize("transposed", [0, 1])
def test_batch_norm_before_a_gemm(transposed: int) -> None:
    text = f"""(float[1,3] x) => (float[1,5] y) {{
        n = {NORM}(x, gamma, beta, mean, var) y = Gemm<transB = {transposed}>(n, w) }}"""
    weights = noise(5, 3) if transposed else noise(3, 5)
    result = run(FoldBatchNorm(), graph(text, w=weights, **norm(3)))
    assert operators(result.onnx) == {"Gemm": 1}
    assert only(result).relative < 1e-5


def test_a_weight_of_two_convolutions_is_changed_for_one() -> None:
    text = """(float[1,4,5,5] x) => (float[1,4,5,5] y, float[1,4,5,5] z) {
        c = Conv(x, w) y = Mul(c, k) z = Conv(x, w) }"""
    result = run(FoldBatchNorm(), graph(text, w=noise(4, 4, 1, 1), k=noise(4, 1, 1)))
    assert operators(result.onnx) == {"Conv": 2}
    assert only(result).relative < 1e-5
