"""Functions of one number: activations, and the powers and logarithms beside them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import attribute, constant, operand, scalar, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder, power
from npukit_convert.onnx_to_caffe.families.base import Family

_PLAIN = {
    "Relu": "ReLU",
    "Sigmoid": "Sigmoid",
    "Tanh": "TanH",
    "Exp": "Exp",
    "Log": "Log",
    "Abs": "AbsVal",
    "Softplus": "BNLL",  # log(1 + exp(x))
}


_POWERS = {
    "Neg": power(scale=-1.0),
    "Sqrt": power(0.5),
    "Reciprocal": power(-1.0),
}


class Activation(Family):
    """One layer for one node."""

    operators: ClassVar[tuple[str, ...]] = (
        *_PLAIN,
        *_POWERS,
        "Identity",
        "Elu",
        "LeakyRelu",
        "PRelu",
        "Pow",
        "Dropout",
    )

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        kind, bottoms = node.op_type, [net.blob(node.inputs[0])]
        if kind in ("Dropout", "Identity"):
            net.pass_through(node, bottoms[0])
        elif kind in _PLAIN:
            net.add(node, _PLAIN[kind], bottoms)
        elif kind in _POWERS:
            net.add(node, "Power", bottoms, {"power_param": _POWERS[kind]})
        elif kind == "Elu":
            net.add(node, "ELU", bottoms, {"elu_param": {"alpha": attribute(node, "alpha", 1.0)}})
        elif kind == "LeakyRelu":
            slope = attribute(node, "alpha", 0.01)
            net.add(node, "ReLU", bottoms, {"relu_param": {"negative_slope": slope}})
        elif kind == "PRelu":
            _prelu(node, net)
        else:
            _pow(node, net)


def _pow(node: ir.Node, net: NetBuilder) -> None:
    exponent = scalar(operand(node, 1))
    if exponent is None:
        net.refuse(node, "the exponent is no constant number", "a constant exponent")
        return
    net.add(node, "Power", [net.blob(node.inputs[0])], {"power_param": power(exponent)})


def _prelu(node: ir.Node, net: NetBuilder) -> None:
    slope, size = constant(operand(node, 1)), shape(node.inputs[0])
    channels = size[1] if size and len(size) > 1 else 0
    if slope is None or slope.size not in (1, channels):
        net.refuse(
            node,
            f"slopes of shape {None if slope is None else list(slope.shape)} for {size}",
            "one constant slope, or one for each channel",
        )
        return
    # One slope for all is repeated: OpenCV cannot read a blob without dimensions.
    slopes = np.broadcast_to(slope.reshape(-1), (channels,))
    net.add(node, "PReLU", [net.blob(node.inputs[0])], blobs=[slopes])
