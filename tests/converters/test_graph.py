"""Graphs of older opsets are raised, so that passes meet one form of each operator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from support.caffe import run_opencv
from support.onnx_cases.case import noise

from npukit_convert.errors import ConversionError
from npukit_convert.graph import OPSET, read_graph
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.probes import outputs
from npukit_convert.simplify import simplify

# Resize with its region of interest, Split and Unsqueeze with attributes: as before opset 13.
BODY = """network (float[1,4,6,7] x) => (float[1,2,12,14] y) {
    a, b = Split<axis = 1, split = [2, 2]>(x)
    s = Sub(a, b)
    f = Squeeze<axes = [0]>(s)
    u = Unsqueeze<axes = [0]>(f)
    y = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(u, roi, scales)
}"""


def old(opset: int) -> bytes:
    graph = onnx.parser.parse_graph(BODY)
    for name, numbers in (("roi", np.zeros(0)), ("scales", np.array([1, 1, 2, 2]))):
        graph.initializer.append(onnx.numpy_helper.from_array(numbers.astype(np.float32), name))
    versions = [onnx.helper.make_opsetid("", opset)]
    data: bytes = onnx.helper.make_model(
        graph, opset_imports=versions, ir_version=8
    ).SerializeToString()
    return data


@pytest.mark.parametrize("form", ["caffe", "caffe-omg"])
def test_a_network_of_opset_11_goes_all_the_way(form: str) -> None:
    onnx_bytes = old(11)
    assert read_graph(onnx_bytes).graph.opset_imports[""] == OPSET
    lowered = simplify(onnx_bytes, form, fp16=False)
    assert [step.why for step in lowered.steps if not step.kept] == []
    feeds = {"x": noise(1, 4, 6, 7)}
    expected = outputs(onnx_bytes, [feeds])[0]["y"]
    found = run_opencv(to_caffe(read_graph(lowered.onnx), form), feeds)["y"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_cannot_be_raised_says_so() -> None:
    graph = onnx.parser.parse_graph("g (float[4,3] x) => (float[4,3] y) { y = Upsample(x, s) }")
    graph.initializer.append(onnx.numpy_helper.from_array(np.ones(2, np.float32), "s"))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 3)])
    with pytest.raises(ConversionError, match="opset 3 cannot be raised to 13") as caught:
        read_graph(model.SerializeToString(), "old.onnx")
    assert "opset_version=13" in caught.value.hint
