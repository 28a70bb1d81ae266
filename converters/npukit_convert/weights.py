"""Trained weights into a torch module; nothing missing, nothing left over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_weights(module: nn.Module, path: Path) -> None:
    """Load a .safetensors file; half precision is widened to the module's own.

    Args:
        module: the network; left as it was if anything is wrong with the file.
        path: the file.

    Raises:
        ConversionError: the file is absent or damaged, or a key is missing, unexpected, of
            another shape or not floating point; all are named.
    """
    import safetensors
    import safetensors.torch

    try:
        stored = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise ConversionError(f"cannot read the weights: {error}", where=str(path)) from error
    problems = _misfits(module.state_dict(), stored)
    if problems:
        raise ConversionError(
            f"the weights do not fit {type(module).__name__}: {'; '.join(problems)}",
            where=str(path),
            hint="check that the file was made for this network",
        )
    module.load_state_dict(stored)


def _misfits(expected: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> list[str]:
    """Name every key by which a weight file differs from what a network expects."""
    common = sorted(expected.keys() & stored.keys())
    found = {
        "missing keys": sorted(expected.keys() - stored.keys()),
        "unexpected keys": sorted(stored.keys() - expected.keys()),
        "wrong shapes": [
            f"{key} (file {list(stored[key].shape)}, network {list(expected[key].shape)})"
            for key in common
            if stored[key].shape != expected[key].shape
        ],
        "not floating point": [
            f"{key} ({str(stored[key].dtype).removeprefix('torch.')})"
            for key in common
            if not stored[key].is_floating_point()
        ],
    }
    return [f"{what}: {', '.join(keys)}" for what, keys in found.items() if keys]
