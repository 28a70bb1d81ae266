"""A TensorFlow.js layers model to ONNX, NHWC to NCHW, for the layers of ESRGAN-slim."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from graph import Graph


def convert(
    topology: bytes, weights: bytes, shape: list[int], names: tuple[str, str], origin: str
) -> bytes:
    """Return the ONNX bytes of a fully convolutional model at one input size.

    Args:
        topology: model.json.
        weights: the one file of its manifest.
        shape: of the input, NCHW.
        names: of the input and the output.
        origin: said in the model.

    Raises:
        ValueError: the model has what is not written here.
    """
    described = json.loads(topology)
    layers = described["modelTopology"]["model_config"]["config"]["layers"]
    values = _weights(described["weightsManifest"][0]["weights"], weights)
    graph = Graph("main_graph")
    tensors: dict[str, str] = {}
    sizes: dict[str, int] = {}  # how many times as large as the input
    for layer in layers:
        name, config = layer["name"], layer["config"]
        output = names[1] if layer is layers[-1] else name
        before = [node[0] for node in (layer["inbound_nodes"] or [[]])[0]]
        inputs = [tensors[source] for source in before]
        sizes[name] = max((sizes[source] for source in before), default=1)
        match layer["class_name"]:
            case "InputLayer":
                output = names[0]
            case "Conv2D":
                _convolution(graph, inputs, output, config, values, name)
            case "Activation" if config["activation"] == "relu":
                graph.add("Relu", inputs, output)
            case "Concatenate" if config["axis"] == 3:
                graph.add("Concat", inputs, output, axis=1)
            case "Add":
                graph.add("Add", inputs, output)
            case "UpSampling2D" if config["interpolation"] == "nearest":
                sizes[name] *= _enlarge(graph, inputs, output, config["size"])
            case kind:
                raise ValueError(f"the layer {name}, {kind}, is not written here")
        tensors[name] = output
    batch, channels, height, width = shape
    factor = sizes[layers[-1]["name"]]
    larger = [batch, channels, factor * height, factor * width]
    return graph.model({names[0]: shape}, {names[1]: larger}, origin)


def _weights(entries: list[dict[str, Any]], data: bytes) -> dict[str, npt.NDArray[np.float32]]:
    values, position = {}, 0
    for entry in entries:
        if entry["dtype"] != "float32" or "quantization" in entry:
            raise ValueError(f"{entry['name']} is not plain float32")
        count = math.prod(entry["shape"])
        flat = np.frombuffer(data, "<f4", count, position)
        values[entry["name"]] = flat.reshape(entry["shape"])
        position += 4 * count
    if position != len(data):
        raise ValueError(f"the weights have {len(data)} bytes, {position} are described")
    return values


def _convolution(
    graph: Graph, inputs: list[str], output: str, config: dict[str, Any],
    values: dict[str, npt.NDArray[np.float32]], name: str,
) -> None:  # fmt: skip
    kernel = values[f"{name}/kernel"].transpose(3, 2, 0, 1)  # HWIO to OIHW
    side = kernel.shape[2]
    plain = (
        config["strides"] == [1, 1]
        and config["dilation_rate"] == [1, 1]
        and config["activation"] == "linear"
        and kernel.shape[3] == side
        and side % 2
        and (side == 1 or config["padding"] == "same")
    )
    if not plain:
        raise ValueError(f"the convolution {name} is not one that is written here")
    weight = graph.constant(f"{output}.weight", kernel)
    bias = graph.constant(f"{output}.bias", values[f"{name}/bias"])
    graph.add(
        "Conv", [*inputs, weight, bias], output, kernel_shape=[side, side], pads=[side // 2] * 4
    )


def _enlarge(graph: Graph, inputs: list[str], output: str, size: list[int]) -> int:
    factor, across = size
    if factor != across:
        raise ValueError("unequal factors are not written here")
    scales = graph.constant(f"{output}.scales", np.array([1.0, 1.0, factor, factor]))
    graph.add(
        "Resize", [*inputs, "", scales], output, mode="nearest", nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip
    return factor
