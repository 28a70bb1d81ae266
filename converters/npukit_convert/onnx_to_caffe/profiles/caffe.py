"""Plain BVLC Caffe 1.0."""

from __future__ import annotations

from collections.abc import Mapping

from npukit_convert.onnx_to_caffe.net import Layer
from npukit_convert.onnx_to_caffe.profiles.base import Profile

LAYERS = frozenset(
    [
        "AbsVal",
        "ArgMax",
        "BNLL",
        "BatchNorm",
        "Bias",
        "Concat",
        "Convolution",
        "Crop",
        "Deconvolution",
        "Dropout",
        "ELU",
        "Eltwise",
        "Exp",
        "Flatten",
        "InnerProduct",
        "LRN",
        "Log",
        "MVN",
        "PReLU",
        "Permute",
        "Pooling",
        "Power",
        "ReLU",
        "Reduction",
        "Reshape",
        "Scale",
        "Sigmoid",
        "Silence",
        "Slice",
        "Softmax",
        "Split",
        "TanH",
        "Threshold",
        "Tile",
    ]
)


class Caffe(Profile):
    """BVLC Caffe with Permute, which its successors have in common."""

    def violations(self, layer: Layer, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        """See `Profile.violations`."""
        if layer.type not in LAYERS:
            return [f"BVLC Caffe has no layer {layer.type}; use the profile caffe-omg"]
        return []
