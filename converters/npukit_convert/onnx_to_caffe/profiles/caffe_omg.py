"""The Caffe layers of Ascend's OMG compiler for the 310, and their limits.

From the boundary table of Caffe operators in the documentation of HiLens and the DDK (42 layer
types). Sizes are (N,C,H,W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npukit_convert.onnx_to_caffe.net import Layer
from npukit_convert.onnx_to_caffe.profiles import _omg_rules as rules
from npukit_convert.onnx_to_caffe.profiles.base import Profile

MAX_RANK = 4
Shapes = Mapping[str, tuple[int, ...]]
Rule = Callable[[Layer, Shapes], Iterator[str]]


class CaffeOMG(Profile):
    """Each layer type has one rule for its limits."""

    def violations(self, layer: Layer, shapes: Shapes) -> list[str]:
        """See `Profile.violations`."""
        rule = RULES.get(layer.type)
        if rule is None:
            instead = _INSTEAD.get(layer.type, "another operator, or `--route onnx`")
            return [f"Ascend's compiler has no Caffe layer {layer.type}; use {instead}"]
        found = list(_sizes(layer, shapes))
        return found or list(rule(layer, shapes))


def _sizes(layer: Layer, shapes: Shapes) -> Iterator[str]:
    for name in (*layer.bottoms, *layer.tops):
        size = shapes[name]
        if len(size) > MAX_RANK:
            yield f"{name} has {len(size)} dimensions, the limit is {MAX_RANK}; fold two into one"
        if 0 in size:
            yield f"{name} is of shape {list(size)}, no size may be 0; drop it"


RULES: Mapping[str, Rule] = {
    "AbsVal": rules.free,
    "ArgMax": rules.free,
    "BatchNorm": rules.batch_norm,
    "Concat": rules.concat,
    "ConvolutionDepthwise": rules.depthwise,
    "Convolution": rules.convolution,
    "Crop": rules.free,
    "Deconvolution": rules.deconvolution,
    "DetectionOutput": rules.free,
    "Eltwise": rules.eltwise,
    "ELU": rules.free,
    "Exp": rules.free,
    "Flatten": rules.flatten,
    "InnerProduct": rules.inner_product,
    "Interp": rules.interp,
    "Log": rules.free,
    "LRN": rules.lrn,
    "LSTM": rules.free,
    "Normalize": rules.normalize,
    "Permute": rules.free,
    "Pooling": rules.pooling,
    "Power": rules.power,
    "PReLU": rules.free,
    "PriorBox": rules.free,
    "Proposal": rules.free,
    "PSROIPooling": rules.free,
    "ReLU": rules.free,
    "Reshape": rules.free,
    "ROIAlign": rules.free,
    "ROIPooling": rules.free,
    "Scale": rules.scale,
    "ShuffleChannel": rules.free,
    "Sigmoid": rules.free,
    "Slice": rules.free,
    "Softmax": rules.softmax,
    "TanH": rules.free,
    "Upsample": rules.upsample,
    "SSDDetectionOutput": rules.free,
    "Reorg": rules.free,
    "Reverse": rules.free,
    "LeakyReLU": rules.free,
    "YOLODetectionOutput": rules.free,
}
"""The 42 layer types by the names that a prototxt gives them, each with its limits."""

_INSTEAD = {
    "BNLL": "ReLU, or Exp and Log",
    "Bias": "Scale with a bias",
    "Clip": "differences of ReLU",
    "MVN": "poolings and products, as the passes write it",
    "ReLU6": "differences of ReLU",
    "Reduction": "Pooling, or a 1x1 convolution",
    "Silence": "a network that uses every part of a Split",
    "Swish": "Sigmoid and a product",
    "Tile": "a 1x1 convolution of ones",
}
