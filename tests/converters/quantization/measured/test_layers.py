"""Figures of a layer are those of what the next layer is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from support.graphs import graph, noise
from support.quantized import PICTURE, alpha_network, int8

from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.figures import difference
from npukit_convert.quantization.measured.layers import layer_figures


def feeds(count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    return [{"image": random.uniform(0, 1, PICTURE.shape).astype(np.float32)} for _ in range(count)]


def test_a_layer_is_measured_behind_its_quantisation() -> None:
    network = alpha_network()
    quantised = int8(network, feeds(8))
    (feed,) = feeds(1)
    found = layer_figures(network, quantised, [feed])
    assert list(found) == ["Relu_1", "Relu_3", "Conv_4", "Sigmoid_5"]  # Conv + Relu are one
    wanted = dict(OnnxRuntime(network).layers(feed))
    given = dict(OnnxRuntime(quantised).layers(feed))
    behind = {"Relu_1": "b", "Relu_3": "d", "Conv_4": "e"}
    for node, tensor in behind.items():
        exact = difference(wanted[tensor], given[f"{tensor}_DequantizeLinear_Output"])
        assert found[node].snr_db == pytest.approx(exact.snr_db, abs=1e-6)
        assert 10 < found[node].snr_db < 60
    last = difference(wanted["alpha"], given["alpha"])
    assert found["Sigmoid_5"].snr_db == pytest.approx(last.snr_db, abs=1e-6)


def test_the_worst_of_all_frames_counts() -> None:
    network = alpha_network()
    quantised = int8(network, feeds(8))
    each = [layer_figures(network, quantised, [feed]) for feed in feeds(3)]
    together = layer_figures(network, quantised, feeds(3))
    for node, figures in together.items():
        assert figures.snr_db == min(one[node].snr_db for one in each)
        assert figures.max_abs == max(one[node].max_abs for one in each)


def test_a_layer_that_stays_in_float_is_exact() -> None:
    network = alpha_network()
    kept = int8(network, feeds(4), nodes_to_exclude=["Conv_0", "Relu_1"])
    found = layer_figures(network, kept, feeds(1))
    assert found["Conv_0"].snr_db > 100
    assert found["Relu_1"].snr_db < 60  # what the int8 layer behind it is given
    assert found["Relu_3"].snr_db < 60


def test_the_layer_of_huge_range_is_the_first_that_falls() -> None:
    huge = noise(8, 8, 3, 3, seed=1) * np.float32([3000] + [1] * 7).reshape(8, 1, 1, 1)
    network = graph(
        """(float[1,3,16,16] image) => (float[1,7,16,16] out) {
          a = Conv<pads=[1,1,1,1]>(image, w0)
          b = Conv<pads=[1,1,1,1]>(a, w1)
          out = Slice(b, one, eight, axis)
        }""",
        w0=noise(8, 3, 3, 3),
        w1=huge,
        one=np.array([1]),
        eight=np.array([8]),
        axis=np.array([1]),
    )
    found = layer_figures(network, int8(network, feeds(4)), feeds(2))
    assert found["Conv_0"].snr_db > 25
    assert found["Slice_2"].snr_db < 10


def test_many_layers_are_held_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network = alpha_network()
    quantised = int8(network, feeds(4))
    whole = layer_figures(network, quantised, feeds(1))
    monkeypatch.setattr("npukit_convert.quantization.measured.layers._BATCH_BYTES", 1)
    assert layer_figures(network, quantised, feeds(1)) == whole


def test_nothing_is_left_of_another_network() -> None:
    other = onnx.load_from_string(alpha_network())
    for node in other.graph.node:
        node.output[0] = f"other_{node.output[0]}"
        node.input[0] = node.input[0] if node.input[0] == "image" else f"other_{node.input[0]}"
    other.graph.output[0].name = "other_alpha"
    assert layer_figures(alpha_network(), other.SerializeToString(), feeds(1)) == {}
