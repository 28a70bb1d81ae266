"""A weighted layer without its blobs would run on zeros in Caffe: each must have them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.lowering import lower
from support.onnx_cases.catalogue import CASES

from npukit_convert.errors import ConversionError
from npukit_convert.graph import read_graph
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.convert import to_caffe
from npukit_convert.onnx_to_caffe.net import CaffeNet, Layer
from npukit_convert.onnx_to_caffe.weights import weight_problems

WEIGHTED = ("BatchNorm", "Convolution", "Deconvolution", "InnerProduct", "PReLU", "Scale")


@pytest.fixture(scope="module")
def weighted() -> dict[str, tuple[Layer, CaffeNet]]:
    """One layer of each type with weights, and the network it stands in."""
    found: dict[str, tuple[Layer, CaffeNet]] = {}
    for case in CASES:
        kinds = set(case.layers) & set(WEIGHTED)
        if kinds - set(found):
            net = to_caffe(read_graph(lower(case.model(), "caffe")[0]), "caffe")
            found |= {one.type: (one, net) for one in net.layers if one.blobs}
    return found


@pytest.mark.parametrize("kind", WEIGHTED)
def test_a_missing_or_wrong_blob_is_named(
    weighted: dict[str, tuple[Layer, CaffeNet]], kind: str
) -> None:
    layer, net = weighted[kind]
    assert weight_problems(layer, net.shapes) == []
    for blobs in (
        (),
        layer.blobs[:-1],
        (*layer.blobs, np.zeros(1, np.float32)),
        (np.zeros((*layer.blobs[0].shape, 2), np.float32), *layer.blobs[1:]),
    ):
        (line,) = weight_problems(replace(layer, blobs=blobs), net.shapes)
        assert "it must have" in line
        assert str(list(layer.blobs[0].shape)) in line


def test_a_layer_without_weights_must_have_none() -> None:
    layer = Layer("t", "ReLU", ("b",), ("t",), blobs=(np.zeros(3, np.float32),))
    (line,) = weight_problems(layer, {"b": (1, 3), "t": (1, 3)})
    assert "it must have none" in line


def test_the_conversion_refuses_a_layer_without_its_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = next(case for case in CASES if case.title == "Gemm")
    add = NetBuilder._add

    def forgets(self: NetBuilder, *given: object) -> tuple[str, ...]:
        return add(self, *given[:-1], ())  # type: ignore[arg-type]

    monkeypatch.setattr(NetBuilder, "_add", forgets)
    with pytest.raises(ConversionError, match=r"InnerProduct y .*it must have \[4, 6\], \[4\]"):
        to_caffe(read_graph(case.model()), "caffe")
