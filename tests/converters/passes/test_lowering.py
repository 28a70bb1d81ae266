"""What the lowering passes write, beyond what the catalogue of operators executes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lowering import lower
from support.onnx_cases.case import Array, Case, noise

from npukit_convert.passes._spatial import MOST_POOLED, first_stage

X = {"x": (1, 3, 4, 5)}


def operators(onnx_bytes: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(onnx_bytes).graph.node]


def run(onnx_bytes: bytes, **feeds: Array) -> Array:
    session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_two_poolings_cover_everything(height: int, width: int) -> None:
    stage = first_stage((1, 1, height, width))
    if height * width <= MOST_POOLED:
        assert stage is None
    elif stage is not None:
        assert height % stage[0] == width % stage[1] == 0
        assert height * width // (stage[0] * stage[1]) <= MOST_POOLED
        assert max(stage) < 256


def test_no_kernel_divides_two_large_primes() -> None:
    assert first_stage((1, 1, 257, 263)) is None


def test_an_instance_norm_says_what_fp16_loses() -> None:
    case = Case(
        "norm",
        X,
        "y = InstanceNormalization(x, s, b)",
        constants={"s": noise(3), "b": noise(3)},
    )
    _, changes = lower(case.model(), "caffe")
    (line,) = [line for line in changes if "fp16" in line]
    assert line.startswith("InstanceNormalization_0: ")
    assert "1.7e-4" in line


@pytest.mark.parametrize("form", ["caffe", "caffe-omg"])
def test_group_normalization_of_opset_21(form: str) -> None:
    body = "{ y = GroupNormalization <num_groups = 2> (x, s, b) }"
    graph = onnx.parser.parse_graph(f"g (float[1,6,4,5] x) => (float[1,6,4,5] y) {body}")
    for name in "sb":
        graph.initializer.append(onnx.numpy_helper.from_array(noise(6, seed=ord(name)), name))
    opset = onnx.helper.make_opsetid("", 21)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()
    lowered = lower(model, form)[0]
    assert "GroupNormalization" not in operators(lowered)
    x = np.random.default_rng(0).standard_normal((1, 6, 4, 5)).astype(np.float32)
    assert np.allclose(run(lowered, x=x), run(model, x=x), atol=1e-5)


@pytest.mark.parametrize("deviation", [1.8e-4, 1.6e-4])
def test_where_squares_of_deviations_vanish_in_fp16(deviation: float) -> None:
    square = np.float16(deviation) * np.float16(deviation)
    assert (square == 0) == (deviation < 1.7e-4)


def test_softplus_does_not_overflow_on_the_board() -> None:
    case = Case("softplus", X, "y = Softplus(x)")
    board = lower(case.model(), "caffe-omg")[0]
    assert "Softplus" not in operators(board)
    x = np.linspace(-200, 200, 60, dtype=np.float32).reshape(1, 3, 4, 5)
    assert np.allclose(run(board, x=x), np.logaddexp(0, x), rtol=1e-6, atol=1e-6)


def test_what_needs_no_lowering_is_left() -> None:
    case = Case("left", X, "a = Relu(x) b = Add(a, x) y = Mul(b, b)")
    lowered, changes = lower(case.model(), "caffe-omg")
    assert changes == []
    assert operators(lowered) == ["Relu", "Add", "Mul"]


def test_overlapping_slices_are_no_split() -> None:
    case = Case(
        "overlap",
        X,
        "a = Slice(x, zero, two, one) b = Slice(x, one, end, one) y = Add(a, b)",
        constants={"zero": [0], "one": [1], "two": [2], "end": [3]},
    )
    assert operators(lower(case.model(), "caffe")[0]) == ["Conv", "Conv", "Add"]


def test_an_input_that_is_an_output_keeps_its_name() -> None:
    case = Case(
        "mean",
        {"x": (1, 3, 1, 1)},
        "y = ReduceMean(x, axes)",
        constants={"axes": [2, 3]},
        opset=18,
    )
    graph = onnx.load_model_from_string(lower(case.model(), "caffe")[0]).graph
    assert [value.name for value in graph.input] == ["x"]
    assert [value.name for value in graph.output] == ["y"]
