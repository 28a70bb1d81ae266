"""What Caffe cannot have is named: the node, why, and what to use instead; all of it at once."""

from __future__ import annotations

import re

import onnx
import onnx.parser
import pytest
from support.lowering import convert
from support.onnx_cases.case import Case, noise

from npukit_convert.errors import ConversionError
from npukit_convert.onnx_to_caffe.refusals import why_refused

X = {"x": (1, 3, 4, 5)}


def refusal(case: Case, form: str = "caffe") -> str:
    with pytest.raises(ConversionError) as caught:
        convert(case.model(), form)
    return str(caught.value)


def test_all_of_them_are_named_at_once() -> None:
    case = Case(
        "three",
        {"x": (1, 4, 6)},
        "n = LayerNormalization(x, s) e = Erf(n) t = Transpose <perm = [0, 2, 1]> (e) "
        "y = MatMul(e, t)",
        constants={"s": noise(6)},
    )
    said = refusal(case)
    assert "3 part(s)" in said
    for line in (
        "LayerNormalization LayerNormalization_0: it normalises over channels",
        "Erf Erf_1: Caffe has no error function; instead: SiLU",
        "MatMul MatMul_3: the second operand is no constant; instead: a product with constant",
    ):
        assert line in said


@pytest.mark.parametrize(
    ("operator", "instead"),
    [
        ("Gelu", "SiLU"),
        ("Attention", "convolutions"),
        ("ReduceL2", "BatchNorm"),
        ("Shape", "fixed input sizes"),
        ("Loop", "exported alone"),
        ("If", "exported alone"),
        ("LSTM", "convolutions over time"),
        ("TopK", "on the host"),
        ("QuantizeLinear", "the float network"),
        ("SomethingNew", "operators.md"),
    ],
)
def test_each_kind_has_its_own_remedy(operator: str, instead: str) -> None:
    why, remedy = why_refused(operator)
    assert why
    assert instead in remedy


def test_the_place_in_the_torch_module_is_named() -> None:
    model = onnx.load_model_from_string(Case("erf", X, "y = Erf(x)").model())
    model.graph.node[0].name = "/decoder/act/Erf"
    with pytest.raises(ConversionError, match=r"/decoder/act/Erf \(module /decoder/act\)"):
        convert(model.SerializeToString(), "caffe")


def test_local_response_normalisation_as_torch_exports_it() -> None:
    case = Case(
        "lrn",
        {"x": (1, 3, 4, 5)},
        "s = Mul(x, x) u = Unsqueeze(s, one) "
        "a = AveragePool <kernel_shape = [3, 1, 1], pads = [1, 0, 0, 1, 0, 0]> (u) "
        "q = Squeeze(a, one) y = Div(x, q)",
        constants={"one": [1]},
    )
    said = refusal(case)
    assert re.search(r"5 dimensions \[1, 1, 3, 4, 5\], Caffe takes 4", said)
    assert "AveragePool AveragePool_2" in said


def test_a_window_of_channels_without_a_middle() -> None:
    case = Case("lrn", X, "y = LRN <size = 4> (x)")
    assert "LRN LRN_0: a size of 4; instead: an odd size" in refusal(case)


def test_integers() -> None:
    graph = onnx.parser.parse_graph("g (int64[1,3] x) => (int64[1,3] y) { y = Add(x, x) }")
    graph.node[0].name = "sum"
    opset = onnx.helper.make_opsetid("", 17)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    with pytest.raises(ConversionError, match=r"Add sum: x is INT64, Caffe computes in float32"):
        convert(model.SerializeToString(), "caffe")


def test_a_limit_of_the_board_names_layer_and_node() -> None:
    case = Case("mask", X, "y = Mul(x, c)", constants={"c": noise(4, 5)})
    said = refusal(case, "caffe-omg")
    assert "Scale y (from node Mul_0): axis 2, it must be 1 or -3" in said
    assert convert(case.model(), "caffe").layers[0].type == "Scale"


def test_an_output_that_is_used_again_stays_an_output() -> None:
    case = Case("both", X, "y = Relu(x) z = Neg(y)", outputs=("y", "z"))
    net = convert(case.model(), "caffe")
    used = {name for layer in net.layers for name in layer.bottoms}
    assert not used & set(net.outputs.values())
    assert list(net.outputs) == ["y", "z"]


def test_an_output_that_is_an_input_is_copied() -> None:
    case = Case("dropout", X, "y = Dropout(x)")
    (layer,) = convert(case.model(), "caffe").layers
    assert (layer.type, layer.bottoms, layer.tops) == ("Power", ("x",), ("y",))
