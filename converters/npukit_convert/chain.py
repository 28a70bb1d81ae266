"""The steps of a conversion, in order, each verified against the one before."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

from npukit import __version__
from npukit.errors import ConfigError, did_you_mean
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec
from npukit_convert.config import ConvertConfig, read_config
from npukit_convert.errors import ConversionError
from npukit_convert.torch_to_onnx import OPSET, export, largest_difference
from npukit_convert.weights import load_weights

if TYPE_CHECKING:
    from torch import nn


def make_build(path: Path) -> SimulatorBuild:
    """Convert what a `convert.yaml` names to a simulator build.

    Raises:
        ConfigError: the config is wrong.
        ConversionError: a step fails, or its result differs by more than `verify` allows.
    """
    config = read_config(path)
    inputs = {
        name: InputSpec(spec.shape, config.preprocess(name)) for name, spec in config.inputs.items()
    }
    if config.model.onnx is not None:
        onnx, record = _read_onnx(path.parent / config.model.onnx)
    else:
        onnx, record = _from_torch(config, path, inputs)
    check_interface(onnx, inputs, config.outputs, str(path))
    return SimulatorBuild(
        name=config.name,
        inputs=inputs,
        outputs=config.outputs,
        states=config.states,
        onnx=onnx,
        record={"npukit": __version__, "config_sha256": _config_hash(config), **record},
    )


def check_interface(
    onnx: bytes, inputs: Mapping[str, InputSpec], outputs: Sequence[str], where: str
) -> None:
    """Refuse a network whose inputs and outputs are not the declared ones.

    Raises:
        ConversionError: ONNX Runtime refuses the network, or names or shapes differ.
    """
    try:
        session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConversionError(f"ONNX Runtime refuses the network: {error}", where=where) from error
    found = {item.name: tuple(item.shape) for item in session.get_inputs()}
    wanted = {name: spec.shape for name, spec in inputs.items()}
    if found != wanted:
        raise ConversionError(
            f"the network takes {found}, the config says {wanted}",
            where=where,
            hint="correct the config; a dynamic size must be fixed when the network is exported",
        )
    produced = [item.name for item in session.get_outputs()]
    missing = [name for name in outputs if name not in produced]
    if missing:
        raise ConversionError(
            f"the network has no output {missing[0]!r}",
            where=where,
            hint=did_you_mean(missing[0], produced),
        )


def _read_onnx(file: Path) -> tuple[bytes, dict[str, Any]]:
    try:
        onnx = file.read_bytes()
    except OSError as error:
        raise ConversionError(
            f"the network cannot be read: {error.strerror}", where=str(file)
        ) from error
    return onnx, {"onnx_sha256": hashlib.sha256(onnx).hexdigest()}


def _from_torch(
    config: ConvertConfig, path: Path, inputs: Mapping[str, InputSpec]
) -> tuple[bytes, dict[str, Any]]:
    import torch

    module = _module(config, path)
    weights = path.parent / str(config.model.weights)
    load_weights(module, weights)
    onnx = export(module, inputs, config.outputs)
    difference = largest_difference(module, onnx, inputs, config.outputs)
    if not difference <= config.verify.max_abs:  # NaN is a difference
        raise ConversionError(
            f"ONNX differs from torch by {difference:.2g}, allowed is {config.verify.max_abs:.2g}",
            where=str(path),
        )
    return onnx, {
        "torch": torch.__version__.split("+")[0],
        "opset": OPSET,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "torch_to_onnx_max_abs": float(f"{difference:.2g}"),
    }


def _config_hash(config: ConvertConfig) -> str:
    text = json.dumps(config.model_dump(mode="json", exclude_none=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _module(config: ConvertConfig, path: Path) -> nn.Module:
    from torch import nn

    name, _, factory = str(config.model.torch).partition(":")
    file = path.parent / f"{name}.py"
    where = f"{path}, model.torch"
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
