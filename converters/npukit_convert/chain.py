"""The steps of a conversion, in order, each verified against the one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from npukit.errors import NpukitError
from npukit.runtime.build import SimulatorBuild
from npukit_convert.compile_step import is_compiled, tell_compile
from npukit_convert.config import ConvertConfig, read_config
from npukit_convert.conversion import Conversion, StepReport
from npukit_convert.quantization.rejection import rejection
from npukit_convert.quantization.settings import FP16, PRESETS
from npukit_convert.rewriting import ONNXSIM
from npukit_convert.simplify import select
from npukit_convert.steps import (
    FORM_ONNX,
    Done,
    Steps,
    caffe_form,
    has_offline_model,
    read_source,
    source_files,
)

_COMPILE = "compile"


def make_build(path: Path) -> SimulatorBuild:
    """The simulator build of what a `convert.yaml` names.

    Raises:
        NpukitError: as `convert`.
    """
    build = convert(read_config(path), path.parent, str(path)).build
    assert build is not None  # noqa: S101 - the chain ends in one
    return build


@dataclass(frozen=True)
class Planned:
    """A step that would be done.

    Attributes:
        name, does: as in `StepReport`.
        inputs: the files that it reads, with their SHA-256.
        passes: that it runs, in order.
    """

    name: str
    does: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    passes: tuple[str, ...] = ()


def step_names(config: ConvertConfig) -> list[str]:
    """The steps of a conversion."""
    return [name for name, _, _ in _steps(config)]


def plan(config: ConvertConfig, folder: Path) -> list[Planned]:
    """What `convert` will do, for `--dry-run`.

    Raises:
        ConfigError: an unknown pass.
        ConversionError: a file that is to be read is not there.
    """
    off, splits = config.passes.off, config.passes.split
    passes = {
        "simplify": (*(() if ONNXSIM in off else (ONNXSIM,)), *select(FORM_ONNX, off, splits)),
        "caffe": tuple(select(caffe_form(config), off)),
    }
    files = {name: read_source(folder, name) for name in source_files(config)}
    return [
        Planned(name, does(config), {} if place else files, passes.get(name, ()))
        for place, (name, does, _) in enumerate(_steps(config))
    ]


def convert(
    config: ConvertConfig,
    folder: Path,
    where: str = "convert.yaml",
    watch: Callable[[str], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Run the steps.

    Args:
        config: what to convert.
        folder: that its files are beside.
        where: the config's name, for messages.
        watch: is told the name of each step as it begins.
        tell: is given the output of the vendor's compiler, line by line.

    Raises:
        ConfigError: the config is wrong.
        ConversionError: a step fails, or its result differs by more than `verify` allows.
        ExecutionError: an engine refuses a network.
        CaptureError: the frames to verify on cannot be read.
        CompilerError: the vendor's compiler refuses the network, or cannot be run.
        Rejected: the quantised network misses its floor; holds what was made, without `compile`.
    """
    steps = Steps(config, folder, where, tell)
    for name, does, run in _steps(config):
        if name == _COMPILE and _rejected(steps.made):
            break  # a board is to run what was accepted
        watch(name)
        start = time.perf_counter()
        try:
            done = run(steps)
        except NpukitError as error:
            error.where = error.where or f"{where}, step {name}"
            raise
        steps.made.steps.append(
            StepReport(
                name,
                does(config),
                time.perf_counter() - start,
                done.verified,
                done.passes,
                done.notes,
                done.measured,
            )
        )
    if _rejected(steps.made):
        raise rejection(steps.made, where)
    return steps.made


def _rejected(made: Conversion) -> bool:
    return made.quantization is not None and not made.quantization.result.accepted


def _steps(
    config: ConvertConfig,
) -> list[tuple[str, Callable[[ConvertConfig], str], Callable[[Steps], Done]]]:
    steps: list[tuple[str, Callable[[ConvertConfig], str], Callable[[Steps], Done]]] = [
        ("export", _tell_export, Steps.export)
        if config.model.torch is not None
        else ("read", _tell_read, Steps.read),
        ("simplify", lambda _: "onnxsim and npukit's passes, each executed", Steps.simplify),
    ]
    if config.route == "caffe":
        steps.append(("caffe", _tell_caffe, Steps.caffe))
    if config.precision in PRESETS:
        steps.append(("quantize", _tell_quantize, Steps.quantize))
    steps.append(("build", lambda config: f"{config.name}.sim for the simulator", Steps.build))
    if has_offline_model(config):
        steps.append(("offline", _tell_offline, Steps.offline))
    if config.precision == FP16 and config.accuracy is not None:
        steps.append(("judge", lambda _: "fp16, emulated, judged against float32", Steps.judge))
    if is_compiled(config):
        steps.append((_COMPILE, tell_compile, Steps.compile))
    return steps


def _tell_quantize(config: ConvertConfig) -> str:
    origin = config.calibration
    frames = "noise" if origin is None or origin.frames is None else origin.frames
    return f"{config.precision}, ranges from {frames}, judged against float32"


def _tell_offline(config: ConvertConfig) -> str:
    return f"{config.name}.om for the simulator, with its AIPP configuration, {config.precision}"


def _tell_export(config: ConvertConfig) -> str:
    weights = f" with {config.model.weights}" if config.model.weights else ""
    return f"{config.model.torch}{weights} to ONNX: {_tell_ends(config)}"


def _tell_read(config: ConvertConfig) -> str:
    return f"{config.model.onnx}, checked: {_tell_ends(config)}"


def _tell_ends(config: ConvertConfig) -> str:
    shapes = ", ".join(f"{name} {list(item.shape)}" for name, item in config.inputs.items())
    return f"{shapes} to {', '.join(config.outputs)}"


def _tell_caffe(config: ConvertConfig) -> str:
    return f"{config.name}.prototxt and .caffemodel, profile {caffe_form(config)}"
