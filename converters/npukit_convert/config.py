"""`convert.yaml`: what is converted, and into what."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from npukit.errors import ConfigError, did_you_mean
from npukit.preprocess import Preprocess


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(_Strict):
    """The trained model: `torch` with `weights`, or `onnx`; files beside the config.

    Attributes:
        torch: `MODULE:FACTORY`, a Python file (without .py) and the function in it that makes
            the untrained module.
        weights: a .safetensors file.
        onnx: an .onnx file.
    """

    torch: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w/]*:[A-Za-z_]\w*$")
    weights: str | None = None
    onnx: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> ModelConfig:
        if (self.onnx is None) == (self.torch is None) or (self.torch is None) != (
            self.weights is None
        ):
            raise ValueError("give either torch and weights, or onnx")
        return self


class InputConfig(_Strict):
    """A network input: its shape, NCHW for a picture, and a picture's `preprocess:`."""

    shape: tuple[PositiveInt, ...] = Field(min_length=1)
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

    def preprocess(self, name: str, where: str = "convert.yaml") -> Preprocess | None:
        """The declaration of an input, checked; `where` is the file's name for messages."""
        declared, shape = self.inputs[name].preprocess, self.inputs[name].shape
        if declared is None:
            return None
        spec = Preprocess.from_dict(declared, f"{where}, inputs.{name}.preprocess")
        if len(shape) != 4 or shape[:2] != (1, spec.channels) or shape[2] % 2 or shape[3] % 2:
            raise ConfigError(
                f"a {spec.to} picture is [1, {spec.channels}, H, W] with even H and W, "
                f"not {list(shape)}",
                where=f"{where}, inputs.{name}.shape",
            )
        return spec


def read_config(path: Path) -> ConvertConfig:
    """Read and check a config.

    Raises:
        ConfigError: names the file, the key and the nearest known key.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from error
    try:
        config = ConvertConfig.model_validate(data)
    except ValidationError as error:
        raise _first(error, path) from error
    for name in config.inputs:
        config.preprocess(name, str(path))
    for into, out in config.states.items():
        _check_known("input", into, config.inputs, path)
        _check_known("output", out, config.outputs, path)
    return config


def _check_known(kind: str, name: str, known: Collection[str], path: Path) -> None:
    if name not in known:
        raise ConfigError(
            f"no {kind} {name!r}", where=f"{path}, states", hint=did_you_mean(name, known)
        )


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
