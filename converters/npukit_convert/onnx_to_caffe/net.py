"""A Caffe network as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from npukit.arrays import F32

Scalar = int | float | bool | str
Parameter = Scalar | Sequence[int] | Sequence[float]


class Word(str):
    """A value of a protobuf enum, written without quotes, such as MAX."""

    __slots__ = ()


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: equal to the first top: what Ascend's compiler and OpenCV ask for.
        type: Caffe's name of the layer type.
        bottoms, tops: names of blobs.
        parameters: message name, such as `convolution_param`, to its fields.
        blobs: the weights, float32, in Caffe's order.
        node: the ONNX node it came from, for messages.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Parameter]] = field(default_factory=dict)
    blobs: tuple[F32, ...] = ()
    node: str = ""


@dataclass(frozen=True)
class CaffeNet:
    """A whole network.

    Attributes:
        name: of the network.
        inputs: blob name to shape, in the ONNX model's order.
        layers: in order of execution.
        outputs: ONNX output name to blob name, in the ONNX model's order.
        shapes: of every blob.
        names: ONNX value name to blob name, for comparisons.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    layers: tuple[Layer, ...]
    outputs: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    names: Mapping[str, str]
