"""BatchNormalization that no convolution has taken in."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import attribute, constant, operand
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class BatchNorm(Family):
    """BatchNorm, which normalises alone, and Scale after it."""

    operators: ClassVar[tuple[str, ...]] = ("BatchNormalization",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        arrays = [constant(operand(node, index)) for index in range(1, 5)]
        if any(array is None for array in arrays) or len(node.outputs) > 1:
            net.refuse(node, "it is in training mode, or not constant", "the network after .eval()")
            return
        scale, bias, mean, variance = (array for array in arrays if array is not None)
        bottom = net.blob(node.inputs[0])
        statistics = {"use_global_stats": True, "eps": attribute(node, "epsilon", 1e-5)}
        # The third blob divides the other two; 0 would mean a mean and a variance of 0.
        blobs = (mean, variance, np.ones(1))
        size = net.shapes[bottom]
        normal = net.add_inner(
            node, "BatchNorm", [bottom], size, {"batch_norm_param": statistics}, blobs
        )
        net.add(
            node,
            "Scale",
            [normal],
            {"scale_param": {"axis": 1, "bias_term": True}},
            (scale, bias),
        )
