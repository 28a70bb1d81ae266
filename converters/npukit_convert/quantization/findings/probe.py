"""What a float32 network makes of frames, layer by layer, in a few numbers each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper

from npukit.arrays import F32, F64
from npukit_convert.execute.onnx_runtime import OnnxRuntime

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_MEAN, _POWER, _LEAST, _MOST = "mean", "power", "least", "most"


class Response(NamedTuple):
    """Of one frame.

    Attributes:
        features: mean and root mean square of every channel of every convolution, one behind
            the other.
        first: how many of them are of the first convolution.
        ranges: least and largest number by the name of the convolution's node, or of an output.
    """

    features: F64
    first: int
    ranges: Mapping[str, tuple[float, float]]


class Probe:
    """A network that gives statistics of its convolutions in place of its outputs.

    They are computed inside the graph, so that a layer is held no longer than it is needed.

    Attributes:
        OUTPUT: what the names of outputs begin with in `Response.ranges`.
    """

    OUTPUT = "output "

    def __init__(self, network: bytes) -> None:
        """Take a float32 ONNX network.

        Raises:
            ExecutionError: ONNX Runtime refuses it.
        """
        proto = onnx.load_model_from_string(network)
        graph = proto.graph
        self._layers = [
            (node.name or node.output[0], node.output[0])
            for node in graph.node
            if node.op_type in _CONVOLUTIONS
        ]
        self._outputs = [item.name for item in graph.output]
        del graph.output[:]
        for place, (_, tensor) in enumerate(self._layers):
            square = _tap(place, "square")
            graph.node.append(helper.make_node("Mul", [tensor, tensor], [square], square))
            _add(graph, "GlobalAveragePool", tensor, _tap(place, _MEAN))
            _add(graph, "GlobalAveragePool", square, _tap(place, _POWER))
        for place, tensor in enumerate(self._ranged()):
            _add(graph, "ReduceMin", tensor, _tap(place, _LEAST))
            _add(graph, "ReduceMax", tensor, _tap(place, _MOST))
        self._runtime = OnnxRuntime(proto.SerializeToString())

    def __call__(self, feed: Mapping[str, F32]) -> Response:
        """Run on one frame.

        Raises:
            ExecutionError: the engine fails.
        """
        found = self._runtime.run(feed)
        features = [
            part
            for place in range(len(self._layers))
            for part in (
                found[_tap(place, _MEAN)].ravel(),
                np.sqrt(np.maximum(found[_tap(place, _POWER)].ravel(), 0.0)),
            )
        ]
        names = [name for name, _ in self._layers] + [
            f"{self.OUTPUT}{name}" for name in self._outputs
        ]
        ranges = {
            name: (float(found[_tap(place, _LEAST)].min()), float(found[_tap(place, _MOST)].max()))
            for place, name in enumerate(names)
        }
        joined = np.concatenate(features) if features else np.zeros(0)
        first = sum(part.size for part in features[:2])
        return Response(joined.astype(np.float64), first, ranges)

    def _ranged(self) -> list[str]:
        return [tensor for _, tensor in self._layers] + self._outputs


def _tap(place: int, what: str) -> str:
    return f"npukit_probe_{place}_{what}"


def _add(graph: onnx.GraphProto, operator: str, tensor: str, name: str) -> None:
    graph.node.append(helper.make_node(operator, [tensor], [name], name))
    graph.output.append(onnx.ValueInfoProto(name=name))
