"""LRN across channels."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.net import Parameter


class LRN(Family):
    """Caffe's LRN, which divides alpha by the size too."""

    operators: ClassVar[tuple[str, ...]] = ("LRN",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        size = int(attribute(node, "size"))
        if size % 2 == 0:
            net.refuse(node, f"a size of {size}", "an odd size")
            return
        parameters: dict[str, Parameter] = {
            "local_size": size,
            "alpha": attribute(node, "alpha", 1e-4),
            "beta": attribute(node, "beta", 0.75),
            "k": attribute(node, "bias", 1.0),
        }
        net.add(node, "LRN", [net.blob(node.inputs[0])], {"lrn_param": parameters})
