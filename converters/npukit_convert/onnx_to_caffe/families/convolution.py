"""Convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Array, attribute, constant, operand, shape
from npukit_convert.onnx_to_caffe.builder import NetBuilder
from npukit_convert.onnx_to_caffe.families.base import Family
from npukit_convert.onnx_to_caffe.net import Parameter
from npukit_convert.windows import Axis, axes, symmetric_conv


class Convolution(Family):
    """Caffe pads both ends alike: the rest of a padding becomes zeros in the kernel."""

    operators: ClassVar[tuple[str, ...]] = ("Conv",)

    def convert(self, node: ir.Node, net: NetBuilder) -> None:
        """See `Family.convert`."""
        weights, bias = filters(node, net)
        found = None if weights is None else axes(node, weights.shape[2:])
        if weights is None or found is None:
            return
        fitted = []
        for i, axis in enumerate(found):
            weights, fit = symmetric_conv(weights, i + 2, axis)
            fitted.append(fit)
        net.add(
            node,
            "Convolution",
            [net.blob(node.inputs[0])],
            convolution_param(len(weights), attribute(node, "group", 1), fitted, bias is not None),
            [weights] if bias is None else [weights, bias],
        )


def filters(node: ir.Node, net: NetBuilder) -> tuple[Array | None, Array | None]:
    """Weights and bias of a Conv or ConvTranspose; no weights where the node is refused."""
    size, weights, bias = shape(node.inputs[0]), constant(operand(node, 1)), operand(node, 2)
    if weights is None or (bias is not None and constant(bias) is None):
        net.refuse(node, "the weights are no constants", "constant weights")
        return None, None
    if size is None or len(size) != 4:
        rank = weights.ndim - 2
        net.refuse(node, f"a convolution over {rank} axes", "a 2-D convolution (height 1 for 1-D)")
        return None, None
    return weights, constant(bias)


def convolution_param(
    outputs: int, group: int, windows: Sequence[Axis], bias: bool
) -> Mapping[str, Mapping[str, Parameter]]:
    """The fields of a (De)convolution; square ones in the words that every reader knows."""
    fields: dict[str, Parameter] = {"num_output": outputs, "bias_term": bias}
    if group > 1:
        fields["group"] = group
    fields.update(window_fields(windows))
    dilations = [axis.dilation for axis in windows]
    if max(dilations) > 1:
        fields["dilation"] = dilations[0] if len(set(dilations)) == 1 else dilations
    return {"convolution_param": fields}


def window_fields(windows: Sequence[Axis]) -> dict[str, Parameter]:
    """Kernel, stride and padding; in one number each where the window is square."""
    fields: dict[str, Parameter] = {}
    for square, stem, numbers, usual in (
        ("kernel_size", "kernel", [axis.kernel for axis in windows], 0),
        ("stride", "stride", [axis.stride for axis in windows], 1),
        ("pad", "pad", [axis.begin for axis in windows], 0),
    ):
        if len(set(numbers)) > 1:
            fields |= {f"{stem}_h": numbers[0], f"{stem}_w": numbers[1]}
        elif numbers[0] != usual:
            fields[square] = numbers[0]
    return fields
