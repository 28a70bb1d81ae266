"""Parallel convolutions of one input whose results are summed (RepVGG, MobileOne, ACNet)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Rewriter, attribute, constant, operand, shape
from npukit_convert.parallel import Branch, merge, pointwise
from npukit_convert.passes._affine import affine
from npukit_convert.passes.base import Pass, Stage


class Reparameterize(Pass):
    """sum of conv_i(x), scale * x + shift and x = one convolution of x.

    Runs after `fold_batch_norm`, so that a branch's own BatchNormalization is in its weights.
    """

    stage: ClassVar[Stage] = Stage.FUSE
    summary: ClassVar[str] = "summed branches of convolutions and identity as one convolution"

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`."""
        changes = []
        for node in list(model.graph):
            if _is_sum(node) and not _inner(node) and _is_used(node):
                changes += _merge(node)
        return changes


def _inner(node: ir.Node) -> bool:
    """Whether the sum is only a part of another one."""
    users = [use.node for use in node.outputs[0].uses()]
    return len(users) == 1 and _is_sum(users[0]) and not node.outputs[0].is_graph_output()


def _is_sum(node: ir.Node | None) -> bool:
    if node is None or node.op_type not in ("Add", "Sum"):
        return False
    size = shape(node.outputs[0])
    return size is not None and all(
        shape(value) == size and constant(value) is None for value in node.inputs
    )


def _is_used(node: ir.Node) -> bool:
    """False for what an earlier merge left over."""
    value = node.outputs[0]
    return bool(value.uses()) or value.is_graph_output()


def _merge(node: ir.Node) -> list[str]:
    summands = _summands(node)
    changes = []
    for x in dict.fromkeys(_source(one) for one in summands):
        group = [one for one in summands if one is x or _source(one) is x]
        merged = _merged(x, group)
        if merged is None:
            continue
        rewriter = Rewriter(node)
        new = rewriter.add(
            "Conv",
            [x, rewriter.constant(merged.kernel), rewriter.constant(merged.bias)],
            pads=list(merged.pads),
            strides=list(merged.strides),
            dilations=list(merged.dilations),
            group=merged.groups,
            kernel_shape=list(merged.kernel.shape[2:]),
        )
        new.shape = node.outputs[0].shape
        summands = [one for one in summands if all(one is not other for other in group)] + [new]
        changes.append(f"{node.name}: {len(group)} branches of {x.name} in one convolution")
    if changes:
        rewriter = Rewriter(node)
        total = summands[0]
        for one in summands[1:]:
            total = rewriter.add("Add", [total, one])
        rewriter.replace(total)
    return changes


def _summands(node: ir.Node) -> list[ir.Value]:
    found: list[ir.Value] = []
    for value in node.inputs:
        assert value is not None  # noqa: S101 - checked by _is_sum
        producer = value.producer()
        if producer is not None and _is_sum(producer) and _inner(producer):
            found += _summands(producer)
        else:
            found.append(value)
    return found


def _source(value: ir.Value) -> ir.Value:
    """What a branch starts from; itself where it is no branch that can be merged."""
    node = value.producer()
    if node is None or len(value.uses()) > 1 or value.is_graph_output():
        return value
    if node.op_type == "Conv" and _branch(node) is not None and node.inputs[0] is not None:
        return node.inputs[0]
    found = affine(node)
    return value if found is None else found.x


def _merged(x: ir.Value, group: list[ir.Value]) -> Branch | None:
    convolutions: list[Branch] = []
    for value in group:
        node = value.producer()
        if value is not x and node is not None and node.op_type == "Conv":
            branch = _branch(node)
            assert branch is not None  # noqa: S101 - checked by _source
            convolutions.append(branch)
    if len(group) < 2 or not convolutions:
        return None
    size = shape(x)
    groups = convolutions[0].groups
    if size is None or len(size) != 4 or size[1] % groups:
        return None
    others = []
    for value in group:
        if value is x:
            others.append(pointwise(np.ones(size[1]), np.zeros(size[1]), groups))
        elif (node := value.producer()) is not None and (found := affine(node)) is not None:
            others.append(pointwise(found.scale, found.shift, groups))
    return merge([*convolutions, *others])


def _branch(node: ir.Node) -> Branch | None:
    kernel, bias = constant(operand(node, 1)), constant(operand(node, 2))
    if kernel is None or kernel.ndim != 4 or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    if bias is None:
        if operand(node, 2) is not None:
            return None
        bias = np.zeros(len(kernel))
    return Branch(
        kernel.astype(np.float64),
        bias.astype(np.float64),
        tuple(attribute(node, "pads", (0, 0, 0, 0))),
        tuple(attribute(node, "strides", (1, 1))),
        tuple(attribute(node, "dilations", (1, 1))),
        attribute(node, "group", 1),
    )
