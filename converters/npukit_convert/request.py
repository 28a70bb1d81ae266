"""What a user asks to be converted: a config, or a bare model that a config is made for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from npukit.errors import ConfigError
from npukit_convert import onnx_file
from npukit_convert.config import ConvertConfig, make_config, read_config
from npukit_convert.errors import ConversionError

# Keys that name a file.
_FILES = (
    "model.onnx",
    "model.weights",
    "verify.frames",
    "compiler.aipp",
    "calibration.frames",
    "quantization.plan",
    "accuracy",
)


class Request(NamedTuple):
    """A config, the folder that its files are beside, and its name for messages."""

    config: ConvertConfig
    folder: Path
    where: str


def read_request(source: str, overrides: Mapping[str, Any]) -> Request:
    """Understand `CONFIG.yaml`, `MODEL.onnx` or `MODULE.py:FACTORY`.

    Args:
        source: what is converted.
        overrides: dotted key of the config to value; files in it are found from here.

    Raises:
        ConfigError: another kind of file, a wrong value, or a key that is missing.
        ConversionError: the model cannot be read.
    """
    file, _, factory = source.partition(":") if ".py:" in source else (source, "", "")
    path = Path(file)
    folder = path.parent
    keys = {
        key: _beside(value, folder) if key in _FILES and value else value
        for key, value in overrides.items()
    }
    if path.suffix in (".yaml", ".yml"):
        return Request(read_config(path, keys), folder, str(path))
    if factory:
        data = _for_torch(path, factory, keys)
    elif path.suffix == ".onnx":
        data = _for_onnx(path, keys)
    else:
        raise ConfigError(
            "not a config (.yaml), a network (.onnx) or a MODULE.py:FACTORY", where=source
        )
    return Request(make_config(data, source, keys), folder, source)


def _beside(value: str, folder: Path) -> str:
    """A path as it reads in a folder; whole where `..` would lead out of a link's target."""
    linked = os.path.realpath(folder) != os.path.normpath(folder.absolute())
    return str(Path(value).absolute()) if linked else os.path.relpath(value, folder)


def moved(request: Request, folder: Path) -> ConvertConfig:
    """The config as it reads in a file of another folder."""
    data = request.config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for key in (*_FILES, "model.torch"):
        part, dot, field = key.partition(".")
        place, last = (data.get(part, {}), field) if dot else (data, part)
        name = place.get(last)
        if name is not None and "://" not in name and (request.folder / _file(name)).exists():
            place[last] = os.path.relpath(request.folder / name, folder)
    return make_config(data, request.where)


def _file(name: str) -> str:
    """The file in `net.py:build` or `net:build`; other names are files."""
    module, colon, _ = name.partition(":")
    return module if not colon or module.endswith(".py") else f"{module}.py"


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`--route caffe --verify.max_abs=1e-5` as keys and values; values are YAML.

    Raises:
        ConfigError: a word that is no option, or an option without a value.
    """
    keys: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise ConfigError(f"{word!r} is no option", hint="options are --KEY VALUE")
        key, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(
                    f"--{key} has no value", hint="a key of convert.yaml: --route caffe"
                )
            value = rest.pop(0)
        try:
            keys[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--{key}: {value!r} is not valid YAML") from error
    return keys


def _for_onnx(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    data = onnx_file.read_onnx(path)
    onnx_file.check_onnx(data, str(path))
    shapes: dict[str, Sequence[int | str]] = dict(onnx_file.input_shapes(data))
    for name, found in onnx_file.open_sizes(data).items():
        if f"inputs.{name}.shape" not in overrides:
            raise ConversionError(
                f"input {name!r} is {list(found)}: a size is open, a chip needs fixed ones",
                where=str(path),
                hint=f'fix it: --inputs.{name}.shape "{_fixed(found)}"',
            )
    return {
        "name": _plain(path.stem),
        "model": {"onnx": path.name},
        "inputs": {name: {"shape": list(found)} for name, found in shapes.items()},
        "outputs": list(onnx_file.output_names(data)),
    }


def _for_torch(path: Path, factory: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    shapes = {
        key.removeprefix("inputs.").removesuffix(".shape"): value
        for key, value in overrides.items()
        if re.fullmatch(r"inputs\..+\.shape", key)
    }
    if not shapes and "inputs" not in overrides:
        raise ConfigError(
            "a torch module does not say what it takes",
            where=f"{path}:{factory}",
            hint='name each input and its shape: --inputs.image.shape "[1, 3, 256, 256]"',
        )
    data: dict[str, Any] = {
        "name": _plain(path.stem),
        "model": {"torch": f"{path.name}:{factory}"},
        "outputs": ["output"],
    }
    if "outputs" not in overrides:
        data["outputs"] = _outputs(path, factory, shapes)
    return data


def _outputs(path: Path, factory: str, shapes: Mapping[str, Any]) -> list[str]:
    """A name for each result of the module, known by running it."""
    import numpy as np

    from npukit_convert.execute.torch_eager import TorchEager
    from npukit_convert.torch_module import make_module

    with TorchEager(make_module(path, factory), inputs=dict.fromkeys(shapes)) as module:
        zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        return list(module.run(zeros))


def _fixed(shape: Sequence[int | str]) -> list[int]:
    """An example of sizes: one picture of a usual size."""
    return [
        size if isinstance(size, int) else 1 if place == 0 else 256
        for place, size in enumerate(shape)
    ]


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)
