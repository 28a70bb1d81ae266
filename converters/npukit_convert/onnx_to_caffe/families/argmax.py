"""ArgMax, and the Cast after it."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class ArgMax(Family):
    """Caffe's ArgMax gives the index as a float and keeps the axis; a Reshape drops it.

    Of several equal maxima Caffe takes the last, ONNX the first.
    """

    operators: ClassVar[tuple[str, ...]] = ("ArgMax", "Cast")
    integers: ClassVar[bool] = True

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        bottom, source = net.blob(node.inputs[0]), node.inputs[0]
        size = net.shapes[bottom]
        if node.op_type == "Cast":
            to = ir.DataType(attribute(node, "to"))
            if source is None or (source.dtype == ir.DataType.FLOAT and to != source.dtype):
                net.refuse(node, f"float32 to {to}: Caffe computes in float32", "float32")
            else:
                net.pass_through(node, bottom)
            return
        axis = int(attribute(node, "axis", 0)) % len(size)
        how = {"argmax_param": {"axis": axis}}
        if shape(node.outputs[0]) == (kept := (*size[:axis], 1, *size[axis + 1 :])):
            net.add(node, "ArgMax", [bottom], how)
            return
        found = net.add_inner(node, "ArgMax", [bottom], kept, how)
        new = list(shape(node.outputs[0]) or ())
        net.add(node, "Reshape", [found], {"reshape_param": {"shape": new}})
