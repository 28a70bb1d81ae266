"""The realisation of a plan: numbers by the formulas, names, and what a user may bring."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from support.graphs import graph, noise

from npukit.errors import ConfigError
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.graph import read_graph
from npukit_convert.quantization.plans.kernels import find_layers
from npukit_convert.quantization.plans.plan import PrecisionPlan, make_plan
from npukit_convert.quantization.plans.qdq import prepare, quantise
from npukit_convert.quantization.plans.ranges import Ranges, ranges
from npukit_convert.quantization.settings import FP16, INT8, QuantizationConfig

TEXT = "(float[1,2,4,4] x) => (float[1,3,4,4] y) { c = Conv(x, w, b) y = Tanh(c) }"
WEIGHTS = {"w": noise(3, 2, 1, 1), "b": noise(3, seed=1)}


def plan_of(data: bytes, precision: str = INT8, **settings: Any) -> PrecisionPlan:
    return PrecisionPlan("int8", dict.fromkeys(find_layers(read_graph(data)).able, precision),
                         **settings)  # fmt: skip


def fixed(low: float, high: float) -> Ranges:
    values = dict.fromkeys(("x", "c", "y"), (low, high))
    return Ranges(values, values, "minmax")


def constants(data: bytes) -> list[np.ndarray[Any, Any]]:
    return [numpy_helper.to_array(t) for t in onnx.load_model_from_string(data).graph.initializer]


@pytest.mark.parametrize(
    ("activations", "scale", "zero"),
    [("asymmetric", 4.0 / 255.0, 64), ("symmetric", 2 * 3.0 / 255.0, 128)],
)
def test_scales_and_zero_points_are_those_of_the_formulas(
    activations: Any, scale: float, zero: int
) -> None:
    data = prepare(graph(TEXT, **WEIGHTS))
    made = quantise(data, fixed(-1.0, 3.0), plan_of(data, activations=activations))
    found = constants(made.onnx)
    steps = np.abs(WEIGHTS["w"]).max(axis=(1, 2, 3)).astype(np.float32) / 127.0
    whole = np.rint(WEIGHTS["w"].astype(np.float32) / steps.reshape(3, 1, 1, 1))
    (weights,) = [array for array in found if array.dtype == np.int8 and array.ndim == 4]
    np.testing.assert_array_equal(weights, whole.astype(np.int8))
    (by_channel,) = [
        array for array in found
        if array.dtype == np.float32 and array.shape == (3,) and np.allclose(array, steps)
    ]  # fmt: skip
    assert by_channel.size == 3
    (bias,) = [array for array in found if array.dtype == np.int32 and array.any()]
    np.testing.assert_allclose(bias * scale * steps, WEIGHTS["b"], atol=scale * steps.max())
    zeros = [int(array) for array in found if array.dtype == np.uint8]
    assert zeros == [zero, zero], "of x and of c"
    ones = [float(array) for array in found if array.dtype == np.float32 and array.ndim == 0]
    np.testing.assert_allclose(ones, [scale, scale], rtol=1e-6)


def test_a_layer_in_fp16_keeps_its_weights() -> None:
    data = prepare(graph(TEXT, **WEIGHTS))
    made = quantise(data, fixed(-1.0, 3.0), plan_of(data, FP16))
    assert made.onnx == data
    assert made.kept == {"Conv_0": "the plan says fp16", "Tanh_1": "Tanh has no integer kernel"}


def test_float_nodes_and_tensors_keep_their_names_others_are_short() -> None:
    data = prepare(graph(TEXT, **WEIGHTS))
    model = onnx.load_model_from_string(quantise(data, fixed(-1.0, 3.0), plan_of(data)).onnx)
    onnx.checker.check_model(model)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert {"Conv_0", "Tanh_1"} <= set(names)
    assert {"c", "y"} <= {name for node in model.graph.node for name in node.output}
    assert max(len(name) for name in names if name not in ("Conv_0", "Tanh_1")) <= 3
    assert not model.graph.value_info


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100.0), st.floats(0.01, 100.0))
def test_the_error_of_a_convolution_is_within_half_steps(
    seed: int, loud: float, heavy: float
) -> None:
    """|error| <= half a step of the output + what half steps of input and weights can add up to."""
    random = np.random.default_rng(seed)
    w = (heavy * random.standard_normal((3, 2, 1, 1))).astype(np.float32)
    x = (loud * random.standard_normal((1, 2, 4, 4))).astype(np.float32)
    data = prepare(graph("(float[1,2,4,4] x) => (float[1,3,4,4] c) { c = Conv(x, w) }", w=w))
    taken = ranges(data, [{"x": x}], QuantizationConfig())
    with OnnxRuntime(quantise(data, taken, plan_of(data)).onnx) as runtime:
        found = runtime.run({"x": x})["c"]
    flat, pixels = w.reshape(3, 2).astype(np.float64), x.reshape(2, 16).astype(np.float64)
    exact = flat @ pixels

    def step(name: str) -> float:
        low, high = taken.values[name]
        return (max(high, 0.0) - min(low, 0.0)) / 255.0

    of_weights = np.abs(flat).max(axis=1, keepdims=True) / 127.0
    bound = (
        step("c") / 2
        + np.abs(flat).sum(axis=1, keepdims=True) * step("x") / 2
        + of_weights / 2 * (np.abs(pixels).sum(axis=0) + step("x"))
    )
    # A range that does not begin at a whole number of steps is moved by up to half of one.
    slack = 1.01 + 0.5 * (step("c") + np.abs(flat).sum(axis=1, keepdims=True) * step("x")) / bound
    assert np.all(np.abs(found.reshape(3, 16) - exact) <= bound * slack)


def test_an_older_opset_is_raised() -> None:
    data = prepare(graph(TEXT, opset=11, **WEIGHTS))
    assert [one.version for one in onnx.load_model_from_string(data).opset_import] == [13]
    made = quantise(data, fixed(-1.0, 3.0), plan_of(data)).onnx
    with OnnxRuntime(made) as runtime:
        runtime.run({"x": np.zeros((1, 2, 4, 4), np.float32)})


def test_short_names_are_none_that_the_network_has() -> None:
    text = """(float[1,2,4,4] q0) => (float[1,3,4,4] q3) {
        q1 = Conv(q0, w, b) q2 = Relu(q1) q3 = Conv(q2, v) }"""
    data = prepare(graph(text, v=noise(3, 3, 1, 1, seed=2), **WEIGHTS))
    feeds = [{"q0": np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)}]
    made = quantise(data, ranges(data, feeds, QuantizationConfig()), plan_of(data)).onnx
    onnx.checker.check_model(onnx.load_model_from_string(made))
    with OnnxRuntime(made) as runtime, OnnxRuntime(data) as exact:
        found, wanted = (one.run(feeds[0])["q3"] for one in (runtime, exact))
        np.testing.assert_allclose(found, wanted, atol=0.03 * np.abs(wanted).max())


def test_nodes_without_names_and_with_one_name_get_their_own() -> None:
    model = onnx.load_model_from_string(
        graph("(float[1,2,4,4] x) => (float[1,2,4,4] y) { a = Relu(x) b = Neg(a) y = Abs(b) }")
    )
    model.graph.node[0].name = ""
    model.graph.node[1].name = model.graph.node[2].name = "same"
    made = onnx.load_model_from_string(prepare(model.SerializeToString()))
    assert [node.name for node in made.graph.node] == ["Relu_0", "same", "same#2"]
    assert prepare(made.SerializeToString()) == made.SerializeToString(), "once is enough"


def test_a_constant_output_comes_out_exactly() -> None:
    text = "(float[1,2,4,4] x) => (float[1,3,4,4] c) { c = Conv(x, w, b) }"
    for value in (0.0, 0.37, -5.0):
        data = prepare(graph(text, w=np.zeros((3, 2, 1, 1)), b=np.full(3, value)))
        x = np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)
        taken = ranges(data, [{"x": x}], QuantizationConfig())
        assert taken.constants() == {"c": np.float32(value)}
        with OnnxRuntime(quantise(data, taken, plan_of(data)).onnx) as runtime:
            np.testing.assert_allclose(runtime.run({"x": x})["c"], value, rtol=1e-6)


def test_a_plan_of_another_network_is_refused() -> None:
    data = prepare(graph(TEXT, **WEIGHTS))
    taken = fixed(-1.0, 3.0)
    with pytest.raises(ConfigError, match="no layer 'Conv_1'") as caught:
        quantise(data, taken, PrecisionPlan("int8", {"Conv_1": INT8}))
    assert caught.value.hint == "did you mean 'Conv_0'?"
    with pytest.raises(ConfigError, match="does not say what 'Conv_0'"):
        quantise(data, taken, PrecisionPlan("int8", {"Tanh_1": FP16}))
    with pytest.raises(ConfigError, match="'Tanh_1' cannot be int8: Tanh has no integer kernel"):
        quantise(data, taken, PrecisionPlan("int8", {"Conv_0": INT8, "Tanh_1": INT8}))


def test_keep_names_layers() -> None:
    layers = find_layers(read_graph(prepare(graph(TEXT, **WEIGHTS))))
    plan = make_plan("int8", layers, QuantizationConfig(keep=("Conv_0",)))
    assert plan.fp16() == ["Conv_0"]
    with pytest.raises(ConfigError, match="no layer 'Conv0'") as caught:
        make_plan("int8", layers, QuantizationConfig(keep=("Conv0",)))
    assert caught.value.where == "quantization.keep"
    assert "Conv_0" in caught.value.hint
