"""The last step of a conversion: the vendor's compiler, where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from npukit.errors import ConfigError
from npukit.profiles import Target, load_target
from npukit.runtime.declaration import InputSpec
from npukit_convert.compiler_config import CompilerConfig
from npukit_convert.config import ConvertConfig
from npukit_convert.conversion import Conversion
from npukit_convert.errors import CompilerMissing
from npukit_convert.targets import family_of
from npukit_convert.targets.base import FloatModel, PrecisionPlan


def is_compiled(config: ConvertConfig) -> bool:
    """Whether the conversion ends in a compiler: there is a target, and it is not the simulator."""
    return config.target is not None and bool(_chip(config).routes[config.route].value)


def tell_compile(config: ConvertConfig) -> str:
    """The compiler's command line; a Caffe network's inputs may get other names on the way.

    Raises:
        ConfigError: the compiler has no way to do what `compiler:` asks.
    """
    options = config.compiler or CompilerConfig()
    chip = _chip(config)
    try:
        command = family_of(chip)(chip, options).command(
            config.name, config.route, config.input_specs(), _plan(options, {})
        )
    except ConfigError as error:
        if config.compiler is not None:
            raise
        return f"nothing: {error}"
    return command if options.at == "local" else f"on {options.at}: {command}"


def compile_network(
    made: Conversion,
    inputs: Mapping[str, InputSpec],
    folder: Path,
    where: str,
    tell: Callable[[str], None],
) -> tuple[str, ...]:
    """Make the offline model and put it into `made`.

    Args:
        made: the conversion so far.
        inputs: of the network.
        folder: that the config's files are beside.
        where: the config's name, for messages.
        tell: is given the compiler's output, line by line.

    Returns:
        What a person should know: with no compiler here, that, and what to run elsewhere.

    Raises:
        ConfigError: the compiler has no way to do what `compiler:` asks.
        CompilerError: it refuses the network, runs out of time, is not where the config says, or
            its host fails.
    """
    config = made.config
    options, chip = config.compiler or CompilerConfig(), _chip(config)
    names = made.caffe.names if made.caffe is not None else {}
    spec = {names.get(name, name): declared for name, declared in inputs.items()}
    family = family_of(chip)(chip, options, _own_aipp(made, folder, where), tell)
    try:
        made.compiled = family.compile(_float_model(made), spec, None, _plan(options, names))
    except CompilerMissing as missing:
        if options.at != "local" or options.command is not None:  # it was to be there
            raise
        made.uncompiled = missing
        looked = ", ".join(missing.looked)
        why = f"no offline model: {missing.message} on {missing.where} (looked: {looked})"
        return why, f"run where it is, in the folder of the results: {missing.command}"
    except ConfigError as error:
        if config.compiler is not None:
            raise
        return (f"no offline model: {error}",)
    return ()


def _chip(config: ConvertConfig) -> Target:
    return load_target(str(config.target))


def _plan(options: CompilerConfig, names: Mapping[str, str]) -> PrecisionPlan:
    return PrecisionPlan(
        tuple(names.get(name, name) for name in options.input_fp16_nodes),
        options.output_type,
        options.high_precision,
        options.precision_mode,
    )


def _float_model(made: Conversion) -> FloatModel:
    config, files = made.config, made.networks()
    if made.caffe is None:
        return FloatModel(config.name, "onnx", files)
    return FloatModel(
        config.name,
        "caffe",
        {name: data for name, data in files.items() if not name.endswith(".onnx")},
        {layer.name: layer.node for layer in made.caffe.layers},
    )


def _own_aipp(made: Conversion, folder: Path, where: str) -> str | None:
    """The text of the file that `compiler.aipp` names."""
    name = made.config.compiler.aipp if made.config.compiler is not None else None
    if name is None:
        return None
    try:
        data = (folder / name).read_bytes()
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{name} cannot be read: {error}", where=f"{where}, compiler.aipp"
        ) from error
    made.sources[name] = hashlib.sha256(data).hexdigest()
    return text
