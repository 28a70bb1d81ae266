"""RGB and state in one input become two inputs; nothing happens unasked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from support.graphs import graph, noise, only, operators, run

from npukit.errors import ConfigError
from npukit_convert.passes.split_state_input import SplitStateInput
from npukit_convert.probes import outputs

SPLITS = {"input": ("image", "alpha_prev")}
CONV = "Conv<strides = [2, 2], pads = [1, 0, 1, 1]>"
NETWORK = f"(float[1,4,8,8] input) => (float[1,5,4,4] y) {{ c = {CONV}(input, w, b) y = Relu(c) }}"


def inputs(data: bytes) -> Mapping[str, list[int]]:
    return {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in onnx.load_model_from_string(data).graph.input
    }


def test_a_convolution_becomes_two_that_are_added() -> None:
    data = graph(NETWORK, w=noise(5, 4, 3, 3), b=noise(5))
    result = run(SplitStateInput(SPLITS), data)
    assert inputs(result.onnx) == {"image": [1, 3, 8, 8], "alpha_prev": [1, 1, 8, 8]}
    assert operators(result.onnx) == {"Conv": 2, "Add": 1, "Relu": 1}
    assert only(result).relative < 1e-6
    whole = noise(1, 4, 8, 8, seed=3).astype(np.float32)
    (expected,) = outputs(data, [{"input": whole}])
    (found,) = outputs(result.onnx, [{"image": whole[:, :3], "alpha_prev": whole[:, 3:]}])
    np.testing.assert_allclose(found["y"], expected["y"], atol=1e-6)


def test_other_users_get_the_parts_joined_again() -> None:
    text = """(float[1,6,8,8] input, float[1,5,8,8] more) => (float[1,5,8,8] y, float[1,6,8,8] z) {
        c = Conv(input, w) y = Add(c, more) z = Relu(input) }"""
    result = run(SplitStateInput(SPLITS), graph(text, w=noise(5, 6, 1, 1)))
    assert list(inputs(result.onnx).items()) == [
        ("image", [1, 3, 8, 8]),
        ("alpha_prev", [1, 3, 8, 8]),
        ("more", [1, 5, 8, 8]),
    ]
    assert operators(result.onnx) == {"Conv": 2, "Add": 2, "Concat": 1, "Relu": 1}
    assert only(result).relative < 1e-6


def test_a_grouped_convolution_gets_the_parts_joined_again() -> None:
    text = "(float[1,4,8,8] input) => (float[1,4,8,8] y) { y = Conv<group = 4>(input, w) }"
    result = run(SplitStateInput(SPLITS), graph(text, w=noise(4, 1, 1, 1)))
    assert operators(result.onnx) == {"Concat": 1, "Conv": 1}
    assert only(result).max_abs == 0


def test_a_part_may_keep_the_name_of_the_whole() -> None:
    data = graph(NETWORK, w=noise(5, 4, 3, 3), b=noise(5))
    result = run(SplitStateInput({"input": ("input", "state")}), data)
    assert list(inputs(result.onnx)) == ["input", "state"]
    assert only(result).relative < 1e-6


def test_nothing_happens_unasked() -> None:
    data = graph(NETWORK, w=noise(5, 4, 3, 3), b=noise(5))
    assert run(SplitStateInput(), data).onnx == data


@pytest.mark.parametrize(
    ("splits", "why"),
    [
        ({"inptu": ("image", "state")}, "no input 'inptu'.*did you mean 'input'"),
        ({"input": ("image", "image")}, "the name 'image'.* is taken"),
        ({"input": ("c", "state")}, "the name 'c'.* is taken"),
    ],
)
def test_wrong_wishes(splits: Mapping[str, tuple[str, str]], why: str) -> None:
    data = graph(NETWORK, w=noise(5, 4, 3, 3), b=noise(5))
    with pytest.raises(ConfigError, match=why):
        run(SplitStateInput(splits), data)


def test_a_picture_without_state() -> None:
    data = graph("(float[1,3,8,8] input) => (float[1,3,8,8] y) { y = Relu(input) }")
    with pytest.raises(ConfigError, match=r"3, 8, 8.*not a picture of 3 channels with state"):
        run(SplitStateInput(SPLITS), data)
