"""Resizes that a layer of its own can do."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family


class Resize(Family):
    """Interp, in `caffe-omg` alone: linear, with the corners of input and output aligned."""

    operators: ClassVar[tuple[str, ...]] = ("Resize",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        mode = attribute(node, "mode", "nearest")
        places = attribute(node, "coordinate_transformation_mode", "half_pixel")
        size, out = shape(node.inputs[0]), shape(node.outputs[0])
        if (
            net.form == "caffe-omg"
            and (mode, places) == ("linear", "align_corners")
            and size is not None
            and out is not None
            and len(size) == 4
            and size[:2] == out[:2]
        ):
            fields = {"height": out[2], "width": out[3]}
            net.add(node, "Interp", [net.blob(node.inputs[0])], {"interp_param": fields})
            return
        net.refuse(
            node,
            f"{mode} {places} from {list(size or ())} to {list(out or ())}",
            "a whole factor along height and width, or linear with align_corners",
        )
