"""`convert.yaml`: what is converted, and into what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npukit.errors import ConfigError, did_you_mean
from npukit.preprocess import Preprocess


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(_Strict):
    """The trained model.

    Attributes:
        torch: `MODULE:FACTORY`, a Python file beside the config (without .py) and the function
            in it that makes the untrained module.
        weights: a .safetensors file beside the config.
    """

    torch: str = Field(pattern=r"^[A-Za-z_][\w/]*:[A-Za-z_]\w*$")
    weights: str


class InputConfig(_Strict):
    """A network input: its NCHW shape, and the `preprocess:` declaration of a picture."""

    shape: tuple[int, ...] = Field(min_length=1)
    preprocess: dict[str, Any] | None = None


class VerifyConfig(_Strict):
    """How far each step may be from the one before."""

    max_abs: float = Field(default=1e-4, gt=0)


class ConvertConfig(_Strict):
    """The whole file.

    Attributes:
        name: of the result.
        inputs, outputs: of the network, in its order.
        states: input name to the output that is fed back into it.
    """

    name: str
    model: ModelConfig
    inputs: dict[str, InputConfig] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    states: dict[str, str] = {}
    verify: VerifyConfig = VerifyConfig()

    def preprocess(self, name: str) -> Preprocess | None:
        """The declaration of an input, checked."""
        declared = self.inputs[name].preprocess
        return None if declared is None else Preprocess.from_dict(declared, f"input {name}")


def read_config(path: Path) -> ConvertConfig:
    """Read and check a config.

    Raises:
        ConfigError: names the file, the key and the nearest known key.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from error
    try:
        config = ConvertConfig.model_validate(data)
    except ValidationError as error:
        raise _first(error, path) from error
    for name in config.inputs:
        config.preprocess(name)
    return config


def _first(error: ValidationError, path: Path) -> ConfigError:
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    where = f"{path}, {'.'.join(place)}" if place else str(path)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(place[:-1])
        return ConfigError(
            f"unknown key {place[-1]!r}", where=where, hint=did_you_mean(place[-1], known)
        )
    return ConfigError(str(problem["msg"]), where=where)


def _known_keys(place: list[str]) -> list[str]:
    """The keys at a place such as [], [model] or [inputs, image]."""
    kinds: dict[str, type[BaseModel]] = {
        "model": ModelConfig,
        "inputs": InputConfig,
        "verify": VerifyConfig,
    }
    kind = kinds.get(place[0], ConvertConfig) if place else ConvertConfig
    return list(kind.model_fields)
