"""`convert.yaml`: what is converted, and into what."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from npukit.errors import ConfigError, did_you_mean
from npukit.preprocess import Preprocess
from npukit.profiles import Target, load_target
from npukit.runtime.declaration import InputSpec
from npukit_convert.compiler_config import CompilerConfig, check_compiler, text_key
from npukit_convert.quantization.settings import (
    PRESETS,
    CalibrationConfig,
    QuantizationConfig,
)
from npukit_convert.yaml_file import read_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(_Strict):
    """The trained model: `torch`, with `weights` or its own, or `onnx`; files beside the config.

    Attributes:
        torch: `MODULE:FACTORY` or `MODULE.py:FACTORY`, a Python file and the function in it that
            makes the module.
        weights: a .safetensors, .pt, .pth or .ckpt file.
        onnx: an .onnx file.
    """

    torch: str | None = Field(default=None, pattern=r"^[\w./-]*\w(\.py)?:[A-Za-z_]\w*$")
    weights: str | None = None
    onnx: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> ModelConfig:
        if (self.onnx is None) == (self.torch is None):
            raise ValueError("give either torch or onnx")
        if self.onnx is not None and self.weights is not None:
            raise ValueError("an ONNX file has its weights inside; leave weights out")
        return self


class InputConfig(_Strict):
    """A network input: its shape, NCHW for a picture, and a picture's `preprocess:`."""

    shape: tuple[PositiveInt, ...] = Field(min_length=1)
    preprocess: dict[str, Any] | None = None


class PassesConfig(_Strict):
    """Rewrites of the graph.

    Attributes:
        off: names of passes that are not run.
        split: a 4-channel input to the names of its picture (3 channels) and its state (1).
    """

    off: tuple[str, ...] = ()
    split: dict[str, tuple[str, str]] = {}


class VerifyConfig(_Strict):
    """How far each step may be from the one before, and on what that is measured.

    Attributes:
        max_abs: of any number of an output, times its largest number where that is above 1.
        cosine: the least one of an output.
        frames: a video, a picture or a folder of pictures, beside the config; noise is always
            measured, real frames too where they are given.
        samples: how many frames, spread over the video.
        fp16: execute the network as a chip in fp16 would too, before and after each pass, and
            report what the pass adds; about half of the time that a large network takes.
    """

    max_abs: float = Field(default=1e-4, gt=0)
    cosine: float = Field(default=0.9999, ge=-1, le=1)
    frames: str | None = None
    samples: PositiveInt = 4
    fp16: bool = True


class ConvertConfig(_Strict):
    """The whole file.

    Attributes:
        name: of the result.
        inputs, outputs: of the network, in its order.
        states: input name to the output that is fed back into it.
        target: a chip of `npukit targets`; None for plain files.
        route: what the chip's compiler is given.
        precision: of the simulated offline model: float32, fp16 emulated, all layers in int8
            that can be, or as many as the accuracy allows (int8_mixed).
        calibration: what the ranges of int8 are taken from; int8 needs it.
        quantization: how int8 is computed.
        accuracy: an accuracy.yaml with the floor that int8 and fp16 must hold.
        compiler: which one, where it is, its settings; None looks for the usual one here.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    model: ModelConfig
    inputs: dict[str, InputConfig] = Field(min_length=1)
    outputs: tuple[str, ...] = Field(min_length=1)
    states: dict[str, str] = {}
    target: str | None = None
    route: Literal["onnx", "caffe"] = "onnx"
    precision: Literal["fp32", "fp16", "int8", "int8_mixed"] = "fp32"
    calibration: CalibrationConfig | None = None
    quantization: QuantizationConfig = QuantizationConfig()
    accuracy: str | None = None
    compiler: CompilerConfig | None = None
    passes: PassesConfig = PassesConfig()
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

    def input_specs(self, where: str = "convert.yaml") -> dict[str, InputSpec]:
        """Shape and declaration of every input."""
        return {
            name: InputSpec(item.shape, self.preprocess(name, where))
            for name, item in self.inputs.items()
        }


def read_config(path: Path, overrides: Mapping[str, Any] | None = None) -> ConvertConfig:
    """Read and check a config.

    Args:
        path: of the file.
        overrides: dotted key, such as `verify.max_abs`, to its value.

    Raises:
        ConfigError: names the file, the key and the nearest known key.
    """
    return make_config(read_yaml(path), str(path), overrides)


def make_config(data: Any, where: str, overrides: Mapping[str, Any] | None = None) -> ConvertConfig:
    """Check a config; `where` is its file's name for messages.

    Raises:
        ConfigError: names the key and the nearest known key.
    """
    for key, value in (overrides or {}).items():
        if key == "compiler" and isinstance(value, str):  # the file's other keys stay
            key = f"compiler.{text_key(value)}"
        data = _with(data, _place(key), value, where)
    try:
        config = ConvertConfig.model_validate(data)
    except ValidationError as error:
        raise _first(error, where) from error
    config.input_specs(where)
    if config.precision in PRESETS and config.calibration is None:
        raise ConfigError(
            f"{config.precision} needs frames of what the camera will see; there is no default",
            where=f"{where}, calibration",
            hint="--calibration.frames clip.mp4 (a video, a folder of pictures, .npy or .npz)",
        )
    if config.target is not None:
        _check_route(config, load_target(config.target), where)
    if config.compiler is not None:
        target = None if config.target is None else load_target(config.target)
        check_compiler(config.compiler, target, config.route, where)
    for into, out in config.states.items():
        _check_known("output", out, config.outputs, where)
        _check_known("input", into, config.inputs, where)
    return config


def write_config(config: ConvertConfig) -> str:
    """The YAML text of a config, without what is as it would be anyway."""
    data = config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None)


def _check_route(config: ConvertConfig, target: Target, where: str) -> None:
    if config.route not in target.routes:
        raise ConfigError(
            f"no compiler for {target.title} reads {config.route}",
            where=f"{where}, route",
            hint=f"routes: {', '.join(target.routes)}",
        )


def _place(key: str) -> list[str]:
    """`verify.max_abs` in parts; the name of an input may hold dots itself."""
    found = re.fullmatch(r"inputs\.(.+?)\.(shape|preprocess)(\..+)?", key)
    if found is None:
        return key.split(".")
    name, field, rest = found.groups()
    return ["inputs", name, field, *(rest or "").split(".")[1:]]


def _with(data: Any, place: Sequence[str], value: Any, where: str) -> Any:
    """A copy of nested mappings with one value set."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{place[0]!r} is set in something that is no mapping", where=where)
    key, *rest = place
    return {**data, key: _with(data.get(key) or {}, rest, value, where) if rest else value}


def _check_known(kind: str, name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        raise ConfigError(
            f"no {kind} {name!r}", where=f"{where}, states", hint=did_you_mean(name, known)
        )


def _first(error: ValidationError, file: str) -> ConfigError:
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    where = f"{file}, {'.'.join(place)}" if place else file
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
        "passes": PassesConfig,
        "verify": VerifyConfig,
        "calibration": CalibrationConfig,
        "quantization": QuantizationConfig,
        "compiler": CompilerConfig,
    }
    kind = kinds.get(place[0], ConvertConfig) if place else ConvertConfig
    return list(kind.model_fields)
