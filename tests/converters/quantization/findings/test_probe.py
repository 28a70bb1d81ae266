"""What a probe says of a layer is what the layer computes."""

from __future__ import annotations

import numpy as np
import pytest
from support.graphs import graph, noise
from support.quantized import PICTURE, alpha_network

from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.quantization.findings.probe import Probe


@pytest.mark.parametrize("opset", [13, 18])
def test_features_and_ranges_are_those_of_the_layers(opset: int) -> None:
    network = graph(
        """(float[1,3,16,16] image) => (float[1,4,16,16] out) {
          a = Conv<pads=[1,1,1,1]>(image, w0)
          b = Relu(a)
          out = Conv(b, w1)
        }""",
        opset,
        w0=noise(8, 3, 3, 3),
        w1=noise(4, 8, 1, 1),
    )
    feed = {"image": np.random.default_rng(0).uniform(0, 1, PICTURE.shape).astype(np.float32)}
    found = Probe(network)(feed)
    layers = dict(OnnxRuntime(network).layers(feed))
    parts = []
    for name in ("a", "out"):
        channels = layers[name].reshape(layers[name].shape[1], -1).astype(np.float64)
        parts += [channels.mean(axis=1), np.sqrt(np.square(channels).mean(axis=1))]
    np.testing.assert_allclose(found.features, np.concatenate(parts), rtol=1e-4, atol=1e-5)
    assert list(found.ranges) == ["Conv_0", "Conv_2", "output out"]
    for node, tensor in (("Conv_0", "a"), ("Conv_2", "out"), ("output out", "out")):
        wanted = layers[tensor].min(), layers[tensor].max()
        np.testing.assert_allclose(found.ranges[node], wanted, rtol=1e-5)


def test_a_network_without_convolutions_has_ranges_of_its_outputs() -> None:
    network = graph("(float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    found = Probe(network)({"x": np.float32([[-1, 0, 1, 2]])})
    assert not found.features.size
    assert found.ranges == {"output y": (0.0, 2.0)}


def test_the_network_itself_is_left_alone() -> None:
    network = alpha_network()
    before = bytes(network)
    Probe(network)
    assert network == before
