"""Trained weights into a torch module; nothing missing, nothing left over."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMATS = (".safetensors", ".pt", ".pth", ".ckpt")

# Under these keys training frameworks put the weights, beside optimizer and counters.
_NESTED = ("state_dict", "model_state_dict", "model", "params_ema", "params", "net")
_PARALLEL = "module."  # torch.nn.DataParallel puts it before every key


def load_weights(module: nn.Module, path: Path) -> list[str]:
    """Load a weights file; half precision is widened to the module's own.

    Args:
        module: the network; left as it was if anything is wrong with the file.
        path: .safetensors, or .pt, .pth, .ckpt, of which tensors alone are read, never code.

    Returns:
        What was done to make the keys fit, for people.

    Raises:
        ConversionError: the file is absent or damaged, holds more than tensors, or a key is
            missing, unexpected, of another shape or kind of number; all are named.
    """
    stored, notes = _read(path)
    if stored and all(key.startswith(_PARALLEL) for key in stored):
        stored = {key.removeprefix(_PARALLEL): value for key, value in stored.items()}
        notes.append(f"{path.name}: the prefix {_PARALLEL!r} of every key was dropped")
    problems = _misfits(module.state_dict(), stored)
    if problems:
        raise ConversionError(
            f"the weights do not fit {type(module).__name__}: {'; '.join(problems)}",
            where=str(path),
            hint="check that the file was made for this network",
        )
    module.load_state_dict(stored)
    return notes


def _read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    if path.suffix not in FORMATS:
        raise ConversionError(
            f"unknown kind of weights file {path.suffix!r}",
            where=str(path),
            hint=f"npukit reads {', '.join(FORMATS)}",
        )
    if path.suffix != ".safetensors":
        return _read_pickled(path)
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path), []
    except (OSError, safetensors.SafetensorError) as error:
        raise ConversionError(f"cannot read the weights: {error}", where=str(path)) from error


def _read_pickled(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    import torch

    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConversionError(
            "the file holds more than tensors, and reading it would run code from it: "
            f"{str(error).splitlines()[0]}",
            where=str(path),
            hint="where you trust it, save its tensors alone: "
            "torch.save(model.state_dict(), 'weights.pt')",
        ) from error
    except Exception as error:  # a damaged archive raises many kinds
        raise ConversionError(
            f"cannot read the weights: {type(error).__name__}: {error}", where=str(path)
        ) from error
    return _state_dict(data, path)


def _state_dict(data: Any, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    import torch

    notes = []
    for key in _NESTED:
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            data = data[key]
            notes.append(f"{path.name}: the weights are those under {key!r}")
            break
    if not isinstance(data, Mapping) or not data:
        raise ConversionError(
            f"the file holds a {type(data).__name__}, no named tensors", where=str(path)
        )
    others = [key for key, value in data.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ConversionError(
            f"the file holds {others[0]!r} beside tensors",
            where=str(path),
            hint="save the state_dict alone: torch.save(model.state_dict(), 'weights.pt')",
        )
    return dict(data), notes


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
            if expected[key].is_floating_point() and not stored[key].is_floating_point()
        ],
    }
    return [f"{what}: {', '.join(keys)}" for what, keys in found.items() if keys]
