"""What computes nothing is dropped; what looks alike and does compute something is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.graphs import graph, noise, only, operators, run

from npukit_convert.passes.clean_shapes import CleanShapes

SAME = "(float[1,2,4,4] x) => (float[1,2,4,4] y)"
NO_OPS: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("t = Identity(x) y = Relu(t)", {}),
    "dropout": ("t = Dropout(x) y = Relu(t)", {}),
    "cast": ("t = Cast<to = 1>(x) y = Relu(t)", {}),
    "reshape": ("t = Reshape(x, s) y = Relu(t)", {"s": [1, 2, 4, -1]}),
    "expand": ("t = Expand(x, s) y = Relu(t)", {"s": [1, 1, 4, 4]}),
    "tile": ("t = Tile(x, s) y = Relu(t)", {"s": [1, 1, 1, 1]}),
    "slice": ("t = Slice(x, a, b) y = Relu(t)", {"a": [0, 0], "b": [9, 9]}),
    "pad": ("t = Pad(x, p) y = Relu(t)", {"p": [0] * 8}),
    "transpose": ("t = Transpose<perm = [0, 1, 2, 3]>(x) y = Relu(t)", {}),
    "resize": ('t = Resize<mode = "linear">(x, , s) y = Relu(t)', {"s": [1.0] * 4}),
    "concat": ("t = Concat<axis = 1>(x) y = Relu(t)", {}),
    "max-pool": ("t = MaxPool<kernel_shape = [1, 1]>(x) y = Relu(t)", {}),
    "mul": ("t = Mul(c, x) y = Relu(t)", {"c": [1.0]}),
    "sub": ("t = Sub(x, c) y = Relu(t)", {"c": [0.0]}),
    "two": ("t = Identity(x) u = Dropout(t) y = Relu(u)", {}),
    "last": ("t = Relu(x) y = Identity(t)", {}),
}
COMPUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "reverse": ("t = Slice(x, a, b, c, d) y = Relu(t)",
                {"a": [3], "b": [-9], "c": [3], "d": [-1]}),
    "shift": ("t = Pad(x, p) y = Relu(t)", {"p": [0, 0, 0, 1, 0, 0, 0, -1]}),
    "turn": ("t = Transpose<perm = [0, 1, 3, 2]>(x) y = Relu(t)", {}),
    "negate": ("t = Sub(c, x) y = Relu(t)", {"c": [0.0]}),
    "invert": ("t = Div(c, x) y = Relu(t)", {"c": [1.0]}),
    "blur": ("t = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x) y = Relu(t)", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_OPS)
def test_no_ops_are_dropped(name: str) -> None:
    body, weights = NO_OPS[name]
    arrays = {key: np.asarray(value) for key, value in weights.items()}
    result = run(CleanShapes(), graph(f"{SAME} {{ {body} }}", **arrays))
    assert operators(result.onnx) == {"Relu": 1}
    assert only(result).max_abs == 0
    assert result.max_abs == 0


@pytest.mark.parametrize("name", COMPUTES)
def test_what_has_the_same_shape_and_computes_stays(name: str) -> None:
    body, weights = COMPUTES[name]
    arrays = {key: np.asarray(value) for key, value in weights.items()}
    data = graph(f"{SAME} {{ {body} }}", **arrays)
    result = run(CleanShapes(), data)
    assert only(result).changes == ()
    assert result.onnx == data


def test_expand_as_becomes_a_broadcasting_product() -> None:
    text = """(float[1,2,4,4] x, float[1,2,1,1] g) => (float[1,2,4,4] y)
              { s = Shape(x) e = Expand(g, s) y = Mul(x, e) }"""
    result = run(CleanShapes(), graph(text))
    assert operators(result.onnx) == {"Mul": 1}
    assert only(result).max_abs == 0


def test_an_expand_that_gives_the_result_its_size_stays() -> None:
    text = """(float[1,2,1,1] x, float[1,2,1,1] g) => (float[1,2,4,4] y)
              { e = Expand(g, s) y = Mul(x, e) }"""
    result = run(CleanShapes(), graph(text, s=np.array([1, 2, 4, 4])))
    assert operators(result.onnx) == {"Expand": 1, "Mul": 1}


def test_a_tile_of_more_than_one_number_stays() -> None:
    text = """(float[1,2,4,8] x, float[1,2,4,4] g) => (float[1,2,4,8] y)
              { e = Tile(g, s) y = Mul(x, e) }"""
    result = run(CleanShapes(), graph(text, s=np.array([1, 1, 1, 2])))
    assert operators(result.onnx) == {"Tile": 1, "Mul": 1}


def test_computed_shapes_become_constants() -> None:
    text = """(float[1,6,4,4] x) => (float[1,3,2,16] y) {
        s = Shape(x) n = Gather(s, zero) n1 = Unsqueeze(n, zero1)
        rest = Constant<value = int64[3] {3, 2, -1}>()
        to = Concat<axis = 0>(n1, rest) y = Reshape(x, to) }"""
    result = run(CleanShapes(), graph(text, zero=np.array(0), zero1=np.array([0])))
    assert operators(result.onnx) == {"Reshape": 1}
    assert len(only(result).changes) == 4


def test_pairs_of_reshapes_and_transposes() -> None:
    text = """(float[1,6,2,4] x) => (float[6,8] y) {
        a = Transpose<perm = [0, 2, 3, 1]>(x) b = Transpose<perm = [0, 3, 1, 2]>(a)
        c = Reshape(b, s) y = Reshape(c, t) }"""
    result = run(CleanShapes(), graph(text, s=np.array([3, 16]), t=np.array([6, -1])))
    assert operators(result.onnx) == {"Reshape": 1}


def test_an_input_that_is_an_output_too_keeps_both_names() -> None:
    data = graph("(float[1,2] x) => (float[1,2] y) { y = Identity(x) }")
    assert run(CleanShapes(), data).onnx == data


def test_weights_are_not_copied_by_broadcasting_them_early() -> None:
    text = "(float[1,64,128,256] x) => (float[1,64,128,256] y) { e = Expand(c, s) y = Add(x, e) }"
    size = np.array([1, 64, 128, 256])
    result = run(CleanShapes(), graph(text, c=noise(1, 64, 1, 1), s=size))
    assert operators(result.onnx) == {"Add": 1}
    assert len(result.onnx) < 2000
