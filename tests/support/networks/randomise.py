"""Weights of realistic size, from a seed: what a converter gets wrong must show in the outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

_AMPLITUDES = (0.1, 1.0)  # of the inputs that `largest_difference` gives
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def randomise(module: nn.Module, inputs: Mapping[str, tuple[int, ...]], seed: int = 0) -> nn.Module:
    """Give a network random weights, and statistics as training would leave them.

    Kernels have He's standard deviation (arXiv:1502.01852). BatchNorm takes its statistics from
    noise through the layers before it. Then both are moved, so that no layer is the identity: the
    mean by 0.2 standard deviations, the variance by a factor of 0.7 to 1.4.

    Args:
        module: changed in place, left in evaluation mode.
        inputs: shapes by name, in the order of the module's arguments.
        seed: the same seed gives the same network.
    """
    random = torch.Generator().manual_seed(seed)
    module.eval()
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, _WEIGHTED):
                _fill(layer, random)
            elif isinstance(layer, nn.PReLU):
                layer.weight.uniform_(0.05, 0.45, generator=random)
            elif isinstance(layer, nn.BatchNorm2d):
                # Some channels reach the upper end of ReLU6; and most values are above 0, or
                # rounding errors would grow from layer to layer as in no trained network.
                layer.weight.log_normal_(0, 0.5, generator=random)
                layer.bias.normal_(0.5, 0.3, generator=random)
                layer.reset_running_stats()
        _measure_statistics(module, inputs, random)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                _move_statistics(layer, random)
    return module


def _fill(layer: nn.Module, random: torch.Generator) -> None:
    weight = layer.weight
    # Every output of a transposed convolution sees a part of the kernel, as large as its stride.
    seen = (
        weight.shape[0] * weight[0, 0].numel() / (layer.stride[0] * layer.stride[1])
        if isinstance(layer, nn.ConvTranspose2d)
        else weight[0].numel()
    )
    weight.normal_(0, math.sqrt(2 / seen), generator=random)
    if layer.bias is not None:
        layer.bias.normal_(0, 0.1, generator=random)


def _measure_statistics(
    module: nn.Module, inputs: Mapping[str, tuple[int, ...]], random: torch.Generator
) -> None:
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.train()
        layer.momentum = None  # the plain mean of what was seen
    # Both amplitudes in one batch: statistics of one alone let the other drift from layer to layer.
    module(
        *(
            torch.cat([scale * torch.randn(shape, generator=random) for scale in _AMPLITUDES])
            for shape in inputs.values()
        )
    )
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
    module.eval()


def _move_statistics(layer: nn.BatchNorm2d, random: torch.Generator) -> None:
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None
    assert variance is not None
    noise = torch.empty_like(mean)
    mean += 0.2 * variance.sqrt() * noise.normal_(generator=random)
    variance *= noise.uniform_(0.7, 1.4, generator=random)
