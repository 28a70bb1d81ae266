"""Blocks of parallel convolutions in a torch module, each as one convolution (RepVGG)."""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from npukit_convert.parallel import Branch, merge, pointwise

if TYPE_CHECKING:
    from torch import nn

_SIDE = (17, 18)  # odd and even, so that strides and paddings show
_TOLERANCE = 1e-4  # of the largest output


@dataclass(frozen=True)
class Reparameterized:
    """A module with fewer convolutions.

    Attributes:
        module: computes what the given one does in evaluation mode.
        merged: names of the blocks that are one convolution now.
        refused: names of blocks whose merged form computed something else; left as they were.
    """

    module: nn.Module
    merged: tuple[str, ...]
    refused: tuple[str, ...]


def reparameterize(module: nn.Module) -> Reparameterized:
    """Merge every block that sums branches of one input, whatever its attributes are called.

    A branch is a convolution, a BatchNorm2d, one after the other, or the input itself. What a
    block does with the sum (an activation, an attention) stays. Each merged block is executed
    on noise beside the old one.

    Args:
        module: left as it is; the result is a copy in evaluation mode.
    """
    made = copy.deepcopy(module).eval()
    merged, refused = [], []
    for name, block in reversed(list(made.named_modules())):  # inner blocks first
        if not _is_block(block):
            continue
        new, channels = _merged(block)
        if new is None:
            continue
        if not _agree(block, new, channels):
            refused.append(name)
        elif name:
            parent, _, attribute = name.rpartition(".")
            setattr(made.get_submodule(parent), attribute, new)
            merged.append(name)
        else:
            made = new
            merged.append(name)
    return Reparameterized(made, tuple(merged), tuple(refused))


def _is_block(module: nn.Module) -> bool:
    """Whether a module holds what a sum of branches is made of; it is worth tracing then."""
    from torch import nn

    below = list(module.modules())
    convolutions = sum(isinstance(one, nn.Conv2d) for one in below)
    norms = sum(isinstance(one, nn.BatchNorm2d) for one in below)
    return convolutions >= 1 and convolutions + norms >= 2 and not isinstance(module, nn.Sequential)


def _merged(block: nn.Module) -> tuple[nn.Module | None, int]:
    """The block with its sums merged, and its input channels; None where there are none."""
    from torch import fx

    try:
        graph = fx.symbolic_trace(block)
    except Exception:  # noqa: BLE001 - what depends on data cannot be traced; it stays as it is
        return None, 0
    channels = 0
    for node in list(graph.graph.nodes):
        if not _is_sum(node) or any(_is_sum(user) for user in node.users):
            continue
        found = _sum(graph, node)
        if found is None:
            continue
        x, branch = found
        name = f"merged_{node.name}"
        graph.add_submodule(name, _convolution(branch))
        with graph.graph.inserting_before(node):
            node.replace_all_uses_with(graph.graph.call_module(name, (x,)))
        channels = branch.kernel.shape[1] * branch.groups
    if not channels:
        return None, 0
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph, channels


def _is_sum(node: Any) -> bool:
    import torch

    functions = (operator.add, operator.iadd, torch.add)
    called = node.op == "call_function" and node.target in functions
    return (called or (node.op == "call_method" and node.target in ("add", "add_"))) and not (
        node.kwargs
    )


def _sum(graph: Any, node: Any) -> tuple[Any, Branch] | None:
    """The one input of all that is summed, and the convolution of it that gives the sum."""
    summands = [one for one in _summands(node) if not isinstance(one, (int, float)) or one]
    branches = [_branch(graph, one) for one in summands]
    if len(summands) < 2 or any(found is None for found in branches):
        return None
    sources = [cast("tuple[Any, list[Any]]", found) for found in branches]
    # Where one branch is a part of another, the input is what all of them come from.
    x = next((one for one, layers in sources if layers), None)
    if x is None or any(source is not x for source, _ in sources):
        return None
    composed = _composed([layers for _, layers in sources])
    merged = None if composed is None else merge(composed)
    return None if merged is None else (x, merged)


def _summands(node: Any) -> list[Any]:
    found: list[Any] = []
    for one in node.args:
        inner = hasattr(one, "op") and _is_sum(one) and len(one.users) == 1
        found += _summands(one) if inner else [one]
    return found


def _branch(graph: Any, node: Any) -> tuple[Any, list[Any]] | None:
    """A summand's input and its layers: [], [conv], [norm] or [conv, norm]."""
    from torch import nn

    if not hasattr(node, "op"):
        return None
    layers: list[Any] = []
    while node.op == "call_module" and len(layers) < 2:
        layer = graph.get_submodule(node.target)
        if isinstance(layer, nn.Identity):
            node = node.args[0]
            continue
        wanted = (nn.Conv2d,) if layers else (nn.Conv2d, nn.BatchNorm2d)
        if type(layer) not in wanted or (layers and isinstance(layers[0], nn.Conv2d)):
            break
        layers.insert(0, layer)
        node = node.args[0]
    return node, layers


def _composed(branches: list[list[Any]]) -> list[Branch] | None:
    """Each branch as a convolution; None where a layer is of a kind that cannot be merged."""
    from torch import nn

    convolutions = [one[0] for one in branches if one and isinstance(one[0], nn.Conv2d)]
    if not convolutions or not all(_is_plain(one) for one in convolutions):
        return None
    first = convolutions[0]
    composed = []
    for layers in branches:
        if layers and isinstance(layers[0], nn.Conv2d):
            base = _of_convolution(layers[0])
            norms = layers[1:]
        else:
            ones = np.ones(first.in_channels)
            base, norms = pointwise(ones, 0 * ones, first.groups), layers
        for norm in norms:
            scale, shift = _of_norm(norm)
            base = Branch(
                base.kernel * scale[:, None, None, None],
                base.bias * scale + shift,
                base.pads,
                base.strides,
                base.dilations,
                base.groups,
            )
        composed.append(base)
    return composed


def _is_plain(layer: nn.Conv2d) -> bool:
    return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _of_convolution(layer: nn.Conv2d) -> Branch:
    kernel = _numbers(layer.weight)
    bias = np.zeros(len(kernel)) if layer.bias is None else _numbers(layer.bias)
    y, x = cast("tuple[int, int]", layer.padding)
    strides, dilations = (cast("tuple[int, int]", one) for one in (layer.stride, layer.dilation))
    return Branch(kernel, bias, (y, x, y, x), strides, dilations, layer.groups)


def _of_norm(layer: nn.BatchNorm2d) -> tuple[Any, Any]:
    mean, variance = _numbers(layer.running_mean), _numbers(layer.running_var)
    scale = 1 / np.sqrt(variance + layer.eps)
    if layer.affine:
        scale = scale * _numbers(layer.weight)
    shift = -mean * scale
    return scale, shift + _numbers(layer.bias) if layer.affine else shift


def _numbers(tensor: Any) -> Any:
    return tensor.detach().cpu().double().numpy()


def _convolution(branch: Branch) -> nn.Conv2d:
    import torch
    from torch import nn

    out, per_group, *sides = branch.kernel.shape
    layer = nn.Conv2d(
        per_group * branch.groups,
        out,
        (sides[0], sides[1]),
        stride=branch.strides,
        padding=branch.pads[:2],
        dilation=branch.dilations,
        groups=branch.groups,
    )
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(branch.kernel))
        assert layer.bias is not None  # noqa: S101 - asked for
        layer.bias.copy_(torch.from_numpy(branch.bias))
    return layer.eval()


def _agree(old: nn.Module, new: nn.Module, channels: int) -> bool:
    import torch

    x = torch.randn(2, channels, *_SIDE, generator=torch.Generator().manual_seed(0))
    try:
        with torch.no_grad():
            one, other = old(x), new(x)
        limit = _TOLERANCE * max(0.1, float(one.abs().max()))
        return one.shape == other.shape and float((one - other).abs().max()) <= limit
    except Exception:  # noqa: BLE001 - a block of several inputs, of fixed size, of many outputs
        return False
