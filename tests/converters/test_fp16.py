"""The emulation against numpy's own float16, operator by operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from support.graphs import graph, noise, operators

from npukit_convert.errors import ConversionError
from npukit_convert.fp16 import LARGEST, emulate, round_to_fp16
from npukit_convert.probes import outputs

Array = Any
LEVELS = onnxruntime.GraphOptimizationLevel


def half(x: Array) -> Array:
    """To float16 and back by numpy; too large is the largest."""
    with np.errstate(over="ignore"):
        small = np.asarray(x, np.float64).astype(np.float16)
    return np.where(np.isinf(small), np.sign(small) * np.float16(65504), small).astype(np.float32)


GOLDEN: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "add": ("y = Add(x, k)", lambda x, k: half(x + k)),
    "mul": ("y = Mul(x, k)", lambda x, k: half(x * k)),
    "relu of a difference": ("d = Sub(x, k) y = Relu(d)", lambda x, k: np.maximum(half(x - k), 0)),
    "square": ("s = Mul(x, x) y = Sqrt(s)", lambda x, _: half(np.sqrt(half(x * x)))),
    "sigmoid": ("y = Sigmoid(x)", lambda x, _: half(0.5 + 0.5 * np.tanh(x.astype(np.float64) / 2))),
    "chain": ("a = Mul(x, k) b = Add(a, k) y = Sub(b, x)",
              lambda x, k: half(half(half(x * k) + k) - x)),
    "copies": ("t = Transpose<perm = [1, 0]>(x) u = Transpose<perm = [1, 0]>(t) y = Mul(u, k)",
               lambda x, k: half(x * k)),
    "input": ("y = Identity(x)", lambda x, _: x),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("amplitude", [1e-4, 0.1, 1.0, 300.0, 30000.0])
def test_as_numpy(name: str, amplitude: float) -> None:
    body, golden = GOLDEN[name]
    x = (amplitude * noise(64, 32, seed=2)).astype(np.float32)
    k = (amplitude * noise(64, 32, seed=3)).astype(np.float32)
    weights = {"k": k} if " k)" in body else {}
    data = graph(f"(float[64,32] x) => (float[64,32] y) {{ {body} }}", **weights)
    (found,) = outputs(emulate(data), [{"x": x}])
    expected = golden(half(x), half(k))
    # Two ways to compute a sigmoid in float32 may round to neighbours, and differ near 0.
    relative, absolute = (1e-3, 1e-6) if name == "sigmoid" else (0, 0)
    np.testing.assert_allclose(found["y"], expected, rtol=relative, atol=absolute)
    assert found["y"].dtype == np.float32
    (exact,) = outputs(data, [{"x": x}])
    assert np.abs(exact["y"] - found["y"]).max() > 0, "something was rounded"


def test_a_convolution_sums_in_float32() -> None:
    x, w, b = (noise(*size).astype(np.float32) for size in ((1, 8, 6, 6), (4, 8, 1, 1), (4,)))
    text = "(float[1,8,6,6] x) => (float[1,4,6,6] y) { y = Conv(x, w, b) }"
    (found,) = outputs(emulate(graph(text, w=w, b=b)), [{"x": x}])
    sums = np.einsum("oc,nchw->nohw", half(w)[..., 0, 0], half(x)) + half(b).reshape(1, 4, 1, 1)
    np.testing.assert_allclose(found["y"], half(sums), rtol=1e-3, atol=1e-6)
    assert (found["y"] == found["y"].astype(np.float16).astype(np.float32)).all()


def test_overflow_is_clamped() -> None:
    data = graph(
        "(float[1,2] x) => (float[1,2] y) { s = Mul(x, x) y = Mul(s, k) }", k=np.array(0.5)
    )
    (found,) = outputs(emulate(data), [{"x": np.array([[-400, 1e6]], np.float32)}])
    np.testing.assert_array_equal(found["y"], [[LARGEST / 2, LARGEST / 2]])
    np.testing.assert_array_equal(round_to_fp16(np.array([-1e9, 1e9])), [-LARGEST, LARGEST])


@pytest.mark.parametrize("level", [LEVELS.ORT_DISABLE_ALL, LEVELS.ORT_ENABLE_ALL])
def test_no_session_removes_the_rounding(level: Any) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    data = emulate(graph("(float[1,2] x) => (float[1,2] y) { t = Relu(x) y = Neg(t) }"))
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(["y"], {"x": np.array([[0.1, 2049]], np.float32)})
    np.testing.assert_array_equal(found, [[-np.float32(np.float16(0.1)), -2048]])


def test_sizes_are_not_rounded() -> None:
    text = """(float[1,1,300,300] x) => (float[1,1,301,301] y) {
        y = Resize<mode = "nearest">(x, , s) }"""
    scale = 301 / 300 + 1e-6  # 300 in fp16
    data = emulate(graph(text, s=np.array([1.0, 1.0, scale, scale])))
    (found,) = outputs(data, [{"x": np.zeros((1, 1, 300, 300), np.float32)}])
    assert found["y"].shape == (1, 1, 301, 301)


def test_names_and_other_outputs_stay() -> None:
    text = """(float[1,4] x) => (float[1,2] values, int64[1,2] places, float[1,4] r) {
        values, places = TopK(x, k) r = Exp(x) z = Sqrt(r) }"""
    data = graph(text.replace("z = Sqrt(r)", ""), k=np.array([2]))
    x = noise(1, 4).astype(np.float32)
    (found,) = outputs(emulate(data), [{"x": x}])
    assert set(found) == {"values", "places", "r"}
    np.testing.assert_array_equal(found["places"], np.argsort(-x)[:, :2])
    np.testing.assert_array_equal(found["r"], half(np.exp(half(x))))
    model = onnx.load_model_from_string(emulate(data))
    assert [value.name for value in model.graph.input] == ["x"]
    assert operators(emulate(data))["TopK"] == 1


def test_bytes_that_are_no_network() -> None:
    with pytest.raises(ConversionError, match="not an ONNX model"):
        emulate(b"no")
