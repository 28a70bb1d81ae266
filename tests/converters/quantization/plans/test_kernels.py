"""What is said to have an integer kernel has one: each operator is quantised and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from support.graphs import graph, noise

from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph
from npukit_convert.quantization.plans.kernels import ELEMENTWISE, FOLLOWING, MATRIX, find_layers
from npukit_convert.quantization.plans.plan import PrecisionPlan
from npukit_convert.quantization.plans.qdq import prepare, quantise
from npukit_convert.quantization.plans.ranges import ranges
from npukit_convert.quantization.settings import INT8, QuantizationConfig

BEFORE = "c = Conv(x, v)"  # in integers, so that what goes along does
SHAPE = "(float[1,4,8,8] x) => (float[{out}] y)"
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Conv": ("1,4,8,8", "y = Conv<pads = [1,1,1,1]>(c, w)", {"w": noise(4, 4, 3, 3)}),
    "Gemm": ("1,3", "f = Flatten(c) y = Gemm(f, w)", {"w": noise(256, 3)}),
    "MatMul": ("1,4,8,3", "y = MatMul(c, w)", {"w": noise(8, 3)}),
    "Add": ("1,4,8,8", "y = Add(c, c)", {}),
    "AveragePool": ("1,4,4,4", "y = AveragePool<kernel_shape = [2,2], strides = [2,2]>(c)", {}),
    "Concat": ("1,8,8,8", "y = Concat<axis = 1>(c, c)", {}),
    "GlobalAveragePool": ("1,4,1,1", "y = GlobalAveragePool(c)", {}),
    "LeakyRelu": ("1,4,8,8", "y = LeakyRelu(c)", {}),
    "Mul": ("1,4,8,8", "y = Mul(c, c)", {}),
    "Sigmoid": ("1,4,8,8", "y = Sigmoid(c)", {}),
    "Softmax": ("1,4,8,8", "y = Softmax<axis = 3>(c)", {}),
    "Clip": ("1,4,8,8", "y = Clip(c, l, h)", {"l": np.float32(0), "h": np.float32(6)}),
    "DepthToSpace": ("1,1,16,16", "y = DepthToSpace<blocksize = 2>(c)", {}),
    "Flatten": ("1,256", "y = Flatten(c)", {}),
    "Gather": ("1,2,8,8", "y = Gather<axis = 1>(c, i)", {"i": np.array([2, 0])}),
    "MaxPool": ("1,4,4,4", "y = MaxPool<kernel_shape = [2,2], strides = [2,2]>(c)", {}),
    "Relu": ("1,4,8,8", "y = Relu(c)", {}),
    "Reshape": ("1,16,16", "y = Reshape(c, s)", {"s": np.array([1, 16, 16])}),
    "Resize": (
        "1,4,16,16", 'y = Resize<mode = "nearest">(c, , s)',
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "Slice": (
        "1,4,4,8", "y = Slice(c, b, e, a)",
        {"b": np.array([2]), "e": np.array([6]), "a": np.array([2])},
    ),
    "Split": ("1,2,8,8", "y, z = Split<axis = 1>(c)", {}),
    "Squeeze": ("4,8,8", "y = Squeeze(c, a)", {"a": np.array([0])}),
    "Transpose": ("1,8,8,4", "y = Transpose<perm = [0,2,3,1]>(c)", {}),
    "Unsqueeze": ("1,1,4,8,8", "y = Unsqueeze(c, a)", {"a": np.array([0])}),
}  # fmt: skip
WITHOUT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ConvTranspose": (
        "1,4,16,16", "y = ConvTranspose<strides = [2,2]>(c, w)", {"w": noise(4, 4, 2, 2)},
    ),
    "PRelu": ("1,4,8,8", "y = PRelu(c, w)", {"w": noise(4, 1, 1)}),
    "HardSigmoid": ("1,4,8,8", "y = HardSigmoid(c)", {}),
    "Tanh": ("1,4,8,8", "y = Tanh(c)", {}),
    "Resize": (
        "1,4,16,16", 'y = Resize<mode = "linear">(c, , s)',
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
}  # fmt: skip
# Of ONNX Runtime's optimised graph: what computes on floats under these names does not there.
_CONVERTING = {"QuantizeLinear", "DequantizeLinear"}


def network(out: str, nodes: str, weights: dict[str, Any]) -> bytes:
    second = ", float[1,2,8,8] z" if "y, z" in nodes else ""
    text = f"(float[1,4,8,8] x) => (float[{out}] y{second}) {{ {BEFORE} {nodes} }}"
    return prepare(graph(text, v=noise(4, 4, 1, 1, seed=1), **weights))


def quantised(data: bytes, activations: Any = "asymmetric") -> bytes:
    layers = find_layers(read_graph(data))
    plan = PrecisionPlan("int8", dict.fromkeys(layers.able, INT8), activations)
    x = np.random.default_rng(0).standard_normal((1, 4, 8, 8)).astype(np.float32)
    return quantise(data, ranges(data, [{"x": x}], QuantizationConfig()), plan).onnx


def float_results(data: bytes, folder: Path) -> list[str]:
    """Operators that ONNX Runtime computes on floats, but for conversions at the ends."""
    path = folder / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(str(path)).graph.node
    floats = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    ends = {"y", "z"}
    made: list[str] = []
    for node in nodes:
        if node.op_type not in _CONVERTING and floats & set(node.input):
            made.append(node.op_type)
            floats |= set(node.output)
    assert not ends & {name for node in nodes for name in node.input}
    return made


def test_every_operator_of_the_tables_is_looked_at() -> None:
    assert set(CASES) == MATRIX | ELEMENTWISE | FOLLOWING


@pytest.mark.parametrize("activations", ["asymmetric", "symmetric"])
@pytest.mark.parametrize("operator", sorted(CASES))
def test_it_is_computed_in_integers(operator: str, activations: str, tmp_path: Path) -> None:
    data = network(*CASES[operator])
    if activations == "symmetric" and operator in ("Relu", "Clip"):
        pytest.skip("only a range that begins at 0 can stand for it: it stays, on floats")
    assert float_results(quantised(data, activations), tmp_path) == []


@pytest.mark.parametrize("operator", sorted(WITHOUT))
def test_others_stay_in_float_and_are_named(operator: str, tmp_path: Path) -> None:
    data = network(*WITHOUT[operator])
    layers = find_layers(read_graph(data))
    (why,) = layers.kept.values()
    assert "no integer kernel" in why
    assert operator in why
    assert float_results(quantised(data), tmp_path) == [operator]


def test_elementwise_layers_between_floats_stay_in_float() -> None:
    text = """(float[1,4,8,8] x) => (float[1,4,8,8] y) {
        a = Conv(x, v) r = Relu(a) b = Conv(r, v) t = Tanh(b) s = Add(r, b) y = Mul(s, t) }"""
    layers = find_layers(read_graph(prepare(graph(text, v=noise(4, 4, 1, 1)))))
    assert list(layers.able) == ["Conv_0", "Conv_2", "Add_4", "Mul_5"]
    assert layers.feeding["Add_4"] == ("Conv_0", "Conv_2"), "past the Relu"
    assert layers.along == {"Relu_1": "Conv_0"}
    assert layers.kept == {"Tanh_3": "Tanh has no integer kernel"}
    assert layers.settled(layers.able) == {"Conv_0", "Conv_2", "Add_4"}, "Tanh feeds the Mul"
    assert layers.settled({"Conv_0", "Add_4"}) == {"Conv_0"}
    assert layers.realised(["Conv_0"]) == ["Conv_0", "Relu_1"]
    assert layers.realised(["Conv_2"]) == ["Conv_2"]


def test_computed_weights_and_limits_have_no_kernel() -> None:
    text = """(float[1,4,8,8] x, float[4,4,1,1] w, float h) => (float[1,4,8,8] y) {
        a = Conv(x, w) b = Conv(a, v) y = Clip(b, , h) }"""
    layers = find_layers(read_graph(prepare(graph(text, v=noise(4, 4, 1, 1)))))
    assert list(layers.able) == ["Conv_1"]
    assert layers.kept["Conv_0"] == "Conv with computed weights has no integer kernel"
    assert layers.kept["Clip_2"] == "a Clip with computed limits has no integer kernel"


def test_a_quantised_network_is_refused() -> None:
    data = quantised(network(*CASES["Conv"]))
    with pytest.raises(ConversionError, match="quantised already") as caught:
        prepare(data, "net.onnx")
    assert "8 nodes such as DequantizeLinear" in caught.value.message
    assert "float network" in caught.value.hint
    assert caught.value.where == "net.onnx"
