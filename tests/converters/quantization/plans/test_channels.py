"""Channels are added for the integer kernels; the numbers stay the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import graph, noise

from npukit_convert.quantization.plans.channels import align_channels
from npukit_convert.quantization.plans.qdq import prepare


def run(model: onnx.ModelProto, x: Any) -> Any:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x.astype(np.float32)})[0]


def network(channels: int, kernel: int = 3, more: str = "", **weights: Any) -> onnx.ModelProto:
    pads = kernel // 2
    text = f"""(float[1,{channels},6,8] x) => (float[1,5,6,8] y) {{
        y = Conv<pads = [{pads},{pads},{pads},{pads}]>(x, w) {more} }}"""
    model = graph(text, w=noise(5, channels, kernel, kernel), **weights)
    return onnx.load_model_from_string(prepare(model))


def convolutions(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def channels_of(model: onnx.ModelProto) -> list[int]:
    dims = {one.name: list(one.dims) for one in model.graph.initializer}
    return [dims[node.input[1]][1] for node in model.graph.node if node.op_type == "Conv"]


@settings(derandomize=True, deadline=None, max_examples=25)
@given(channels=st.integers(1, 13), kernel=st.sampled_from([1, 3, 5]))
def test_the_numbers_stay_the_same(channels: int, kernel: int) -> None:
    model = network(channels, kernel)
    x = noise(1, channels, 6, 8, seed=1)
    before = run(model, x)
    made = align_channels(model, convolutions(model))
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(run(model, x), before, atol=1e-5)
    assert channels_of(model)[0] % 4 == 0 or kernel == 1
    assert set(made.values()) <= {"x"}


def test_what_is_full_or_1x1_or_not_chosen_stays() -> None:
    for model in (network(4), network(3, kernel=1), network(8, kernel=5)):
        before = model.SerializeToString()
        assert align_channels(model, convolutions(model)) == {}
        assert model.SerializeToString() == before
    model = network(3)
    assert align_channels(model, []) == {}
    assert channels_of(model) == [3]


def test_grouped_convolutions_stay() -> None:
    text = """(float[1,6,6,8] x) => (float[1,6,6,8] y) {
        y = Conv<pads = [1,1,1,1], group = 2>(x, w) }"""
    model = onnx.load_model_from_string(prepare(graph(text, w=noise(6, 3, 3, 3))))
    assert align_channels(model, convolutions(model)) == {}


def test_two_convolutions_share_what_is_widened_and_a_shared_weight_is_kept() -> None:
    text = """(float[1,3,6,8] x) => (float[1,3,6,8] y) {
        a = Conv<pads = [1,1,1,1]>(x, w) b = Conv<pads = [1,1,1,1]>(x, w)
        c = Add(a, b) y = Conv<pads = [1,1,1,1]>(c, w) }"""
    model = onnx.load_model_from_string(prepare(graph(text, w=noise(3, 3, 3, 3))))
    x = noise(1, 3, 6, 8, seed=2)
    before = run(model, x)
    first, second, last = convolutions(model)
    made = align_channels(model, [first, second])
    np.testing.assert_allclose(run(model, x), before, atol=1e-5)
    assert sum(node.op_type == "Concat" for node in model.graph.node) == 1
    assert channels_of(model) == [4, 4, 3]
    assert set(made.values()) == {"x"}
    assert last not in made


def test_new_nodes_are_named_as_what_they_make_and_have_shapes() -> None:
    model = network(5)
    made = align_channels(model, convolutions(model))
    nodes = {node.name: node for node in model.graph.node}
    known = {value.name: value for value in model.graph.value_info}
    for name in made:
        assert list(nodes[name].output) == [name]
        assert known[name].type.tensor_type.shape.dim[1].dim_value in (3, 8)


def test_an_input_of_unknown_shape_is_left_alone() -> None:
    model = network(3)
    del model.graph.value_info[:]
    model.graph.node[0].input[0] = "unknown"
    assert align_channels(model, convolutions(model)) == {}


@pytest.mark.parametrize("channels", [3, 35])
def test_a_convolution_with_computed_weights_is_left_alone(channels: int) -> None:
    text = f"""(float[1,{channels},6,8] x) => (float[1,2,6,8] y) {{
        v = Abs(w) y = Conv<pads = [1,1,1,1]>(x, v) }}"""
    model = onnx.load_model_from_string(graph(text, w=noise(2, channels, 3, 3)))
    model.graph.node[1].name = "conv"
    assert align_channels(model, ["conv"]) == {}
