"""The last step of a conversion: the vendor's compiler, where there is one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from npukit.errors import ConfigError
from npukit.profiles import Target, load_target
from npukit.runtime.declaration import InputSpec
from npukit_convert.compiler_config import CompilerConfig
from npukit_convert.config import ConvertConfig
from npukit_convert.conversion import Conversion
from npukit_convert.errors import CompilerMissing
from npukit_convert.graph import read_graph
from npukit_convert.quantization.plans.kernels import ON_CHIPS
from npukit_convert.quantization.quantize import Quantization
from npukit_convert.quantization.settings import PRESETS
from npukit_convert.targets import family_of
from npukit_convert.targets.base import Calibration, FloatModel, Precision

_FRAMES = 50  # at most, as in the vendor's template: all are in memory, and travel to the compiler
_CAFFE_ON_CHIPS = ("Convolution", "Deconvolution", "InnerProduct", "ConvolutionDepthwise")


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
            config.name,
            config.route,
            config.input_specs(),
            _precision(options, {}),
            _any_frame(config),
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
        made.compiled = family.compile(
            _float_model(made), spec, _calibration(made, spec, names),
            _precision(options, names, made),
        )  # fmt: skip
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


def _any_frame(config: ConvertConfig) -> Calibration | None:
    """For a command line: which frames they are is not in it."""
    if config.precision not in PRESETS:
        return None
    shapes = {name: item.shape for name, item in config.inputs.items()}
    return Calibration([{name: np.zeros(shape, np.float32) for name, shape in shapes.items()}])


def _precision(
    options: CompilerConfig, names: Mapping[str, str], made: Conversion | None = None
) -> Precision:
    done = None if made is None else made.quantization
    return Precision(
        tuple(names.get(name, name) for name in options.input_fp16_nodes),
        options.output_type,
        options.high_precision,
        options.precision_mode,
        () if made is None or done is None else tuple(_not_int8(made, done)),
        done is not None and done.plan.activations == "symmetric",
    )


def _not_int8(made: Conversion, done: Quantization) -> list[str]:
    """Layers that a chip would quantise, but that were not judged in int8."""
    int8 = set(done.plan.int8())
    if made.caffe is None:
        nodes = read_graph(made.onnx, raised=False).graph
        return [
            str(node.name) for node in nodes if node.op_type in ON_CHIPS and node.name not in int8
        ]
    return [
        layer.name
        for layer in made.caffe.layers
        if layer.type in _CAFFE_ON_CHIPS and layer.node not in int8
    ]


def _calibration(
    made: Conversion, spec: Mapping[str, InputSpec], names: Mapping[str, str]
) -> Calibration | None:
    """Some of the frames, by the names of the network that is compiled."""
    if made.quantization is None:
        return None
    feeds, own = (
        made.quantization.feeds,
        {names.get(name, name): name for name in made.config.inputs},
    )
    places = sorted({round(place) for place in np.linspace(0, len(feeds) - 1, _FRAMES)})
    return Calibration([{name: feeds[place][own[name]] for name in spec} for place in places])


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
