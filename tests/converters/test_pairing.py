"""Which layer is which: names, values, order."""

from __future__ import annotations

import numpy as np
import pytest

from npukit.arrays import F32
from npukit_convert.errors import ComparisonError
from npukit_convert.pairing import (
    Layer,
    canonical,
    module_path,
    pair_inputs,
    pair_layers,
    pair_names,
)

RANDOM = np.random.default_rng(0)
A, B, C, D = (RANDOM.standard_normal((1, 4, 8, 8)).astype(np.float32) for _ in range(4))


def layers(**values: F32) -> list[Layer]:
    return [Layer.of(name.replace("__", "/"), value) for name, value in values.items()]


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("/enc/conv/Conv_output_0", "enc_conv_Conv"),
        ("_enc_conv_Conv_output_0", "enc_conv_Conv"),
        ("enc.conv", "enc_conv"),
        ("x_output_01", "x_output_01"),
    ],
)
def test_names_as_converters_write_them(name: str, bare: str) -> None:
    assert canonical(name) == bare


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/a/b/Conv_output_0", "a.b"),
        ("/a/a.0/a.0.1/Relu_output_0", "a.0.1"),
        ("/blocks.1/conv/Conv_output_0", "blocks.1.conv"),
        ("/Add_output_0", ""),
        ("alpha", ""),
    ],
)
def test_the_module_of_an_exported_name(name: str, path: str) -> None:
    assert module_path(name) == path


def test_sanitised_names_are_the_same_name() -> None:
    one = layers(__a__Conv_output_0=A, __b__Conv_output_0=B)
    other = layers(b_Conv=B, a_Conv_output_0=A)
    assert pair_layers(one, other) == {
        "/a/Conv_output_0": "a_Conv_output_0", "/b/Conv_output_0": "b_Conv"
    }  # fmt: skip


def test_a_folded_layer_is_found_by_its_values() -> None:
    # The exporter folds bn into conv and names the result after conv.
    one = layers(conv=A, bn=B, relu=C)
    other = layers(__conv__Conv_output_0=B, __relu__Relu_output_0=C)
    assert pair_layers(one, other) == {
        "bn": "/conv/Conv_output_0", "relu": "/relu/Relu_output_0"
    }  # fmt: skip
    assert pair_layers(other, one) == {
        "/conv/Conv_output_0": "bn", "/relu/Relu_output_0": "relu"
    }  # fmt: skip


def test_names_hold_where_values_part() -> None:
    one, other = layers(a=A, b=B, c=C), layers(a=A, b=D, c=A)
    assert pair_layers(one, other) == {"a": "a", "b": "b", "c": "c"}


def test_a_known_pair_comes_first() -> None:
    one, other = layers(a=A, b=B), layers(p=B, q=D)
    assert pair_layers(one, other, {"a": "q"}) == {"a": "q", "b": "p"}


def test_order_pairs_what_has_no_name() -> None:
    one, other = layers(a=A, b=B, c=C), layers(p=A, q=B * 1.01, r=D, s=C)
    assert pair_layers(one, other) == {"a": "p", "b": "q", "c": "s"}
    crossed = layers(p=B, q=A)
    assert len(pair_layers(layers(a=A, b=B), crossed)) == 1, "order is kept"


def test_other_shapes_and_strangers_never_pair() -> None:
    one = layers(a=A, b=B)
    assert pair_layers(one, layers(a=A[:, :3], q=D)) == {}
    assert pair_layers(layers(a=A[:, 0]), layers(q=A[:, :1])) == {"a": "q"}, "axes of 1 apart"


def test_not_a_number_agrees_with_nothing() -> None:
    broken = np.full_like(A, np.nan)
    assert pair_layers(layers(a=broken), layers(q=broken)) == {}
    assert pair_layers(layers(a=broken), layers(a=A)) == {"a": "a"}


def test_outputs_by_name_then_in_order() -> None:
    assert pair_names(["x", "/fgr"], ["fgr", "x"]) == {"x": "x", "/fgr": "fgr"}
    assert pair_names(["output"], ["alpha"]) == {"output": "alpha"}
    assert pair_names(["a", "b"], ["a"]) == {"a": "a"}
    assert pair_names(["a", "b"], ["c"]) == {}


def test_inputs_must_correspond() -> None:
    assert pair_inputs({"image": None}, {"data": (1, 3, 4, 4)}) == {"image": "data"}
    with pytest.raises(ComparisonError, match="different inputs"):
        pair_inputs({"a": (1,), "b": (1,)}, {"a": (1,)})
    with pytest.raises(ComparisonError, match=r"input 'a' is \(1, 3\) in one model and \(1, 4\)"):
        pair_inputs({"a": (1, 3)}, {"a": (1, 4)})
    assert pair_inputs({"a": (None, 3)}, {"b": (1, None)}) == {"a": "b"}
