"""Torch modules made by a function in a user's Python file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npukit.errors import ConfigError, did_you_mean
from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    from torch import nn


def make_module(file: Path, factory: str, where: str = "") -> nn.Module:
    """Call a factory.

    Args:
        file: the Python file; its folder is not put on the path.
        factory: the name of a function in it that takes nothing.
        where: what names them, for messages.

    Raises:
        ConfigError: no such file or function.
        ConversionError: the file or the function fails, or the function gives something else.
    """
    from torch import nn

    where = where or f"{file}:{factory}"
    spec = importlib.util.spec_from_file_location(f"npukit_model_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"no file {file}", where=where)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        make: Any = getattr(module, factory, None)
        made = None if make is None else make()
    except Exception as error:
        raise ConversionError(
            f"the network cannot be made: {type(error).__name__}: {error}", where=str(file)
        ) from error
    if make is None:
        own = [
            name
            for name, item in vars(module).items()
            if getattr(item, "__module__", "") == spec.name
        ]
        raise ConfigError(f"{file} has no {factory}", where=where, hint=did_you_mean(factory, own))
    if not isinstance(made, nn.Module):
        raise ConversionError(f"{factory} gives {made!r}, no torch.nn.Module", where=str(file))
    return made
