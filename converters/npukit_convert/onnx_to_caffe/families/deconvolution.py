"""Transposed convolutions."""

from __future__ import annotations

from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import attribute
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.families.convolution import convolution_param, filters
from npukit_convert.windows import symmetric_transposed, transposed_axes


class Deconvolution(Family):
    """Caffe crops both ends alike: zeros in the kernel move and lengthen the output."""

    operators: ClassVar[tuple[str, ...]] = ("ConvTranspose",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        weights, bias = filters(node, net)
        found = None if weights is None else transposed_axes(node, weights.shape[2:])
        if weights is None or found is None:
            return
        fitted = []
        for i, axis in enumerate(found):
            weights, fit = symmetric_transposed(weights, i + 2, axis)
            fitted.append(fit)
        group = attribute(node, "group", 1)
        net.add(
            node,
            "Deconvolution",
            [net.blob(node.inputs[0])],
            convolution_param(weights.shape[1] * group, group, fitted, bias is not None),
            [weights] if bias is None else [weights, bias],
        )
