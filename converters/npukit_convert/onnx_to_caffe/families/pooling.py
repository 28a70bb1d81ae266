"""Pooling."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.families.convolution import window_fields
from npukit_convert.onnx_to_caffe.net import Parameter, Word
from npukit_convert.pooling import rounding, windows


class Pooling(Family):
    """Caffe rounds sizes up; `round_mode` stands only where that gives another size."""

    operators: ClassVar[tuple[str, ...]] = (
        "MaxPool",
        "AveragePool",
        "GlobalMaxPool",
        "GlobalAveragePool",
    )

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        size = shape(node.inputs[0])
        if size is None or len(size) != 4:
            net.refuse(node, f"pooling of shape {list(size or ())}", "2-D pooling")
            return
        fields: dict[str, Parameter] = {
            "pool": Word("MAX" if node.op_type.endswith("MaxPool") else "AVE")
        }
        if node.op_type.startswith("Global"):
            fields["global_pooling"] = True
        elif not _windows(node, net, fields):
            return
        net.add(node, "Pooling", [net.blob(node.inputs[0])], {"pooling_param": fields})


def _windows(node: ir.Node, net: NetBuilder, fields: dict[str, Parameter]) -> bool:
    found = windows(node)
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        net.refuse(node, "the places of the maxima are used", "the maxima alone")
        return False
    if any(dilation != 1 for dilation in attribute(node, "dilations", ())):
        net.refuse(node, "a dilated window", "a window without dilation")
        return False
    mode = None if found is None else rounding(node, found)
    if found is None or mode is None:
        pads = list(attribute(node, "pads", ()))
        net.refuse(node, f"padding {pads}, which Caffe has not", "the same padding at both ends")
        return False
    fields.update(window_fields(found))
    if mode != "CEIL":
        fields["round_mode"] = Word(mode)
    return True
