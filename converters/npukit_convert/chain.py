"""The steps of a conversion, in order, each verified against the one before."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from npukit.runtime.build import SimulatorBuild
from npukit_convert.config import ConvertConfig, read_config
from npukit_convert.conversion import Conversion, StepReport
from npukit_convert.steps import Done, Steps, caffe_form


def make_build(path: Path) -> SimulatorBuild:
    """The simulator build of what a `convert.yaml` names.

    Raises:
        NpukitError: as `convert`.
    """
    build = convert(read_config(path), path.parent, str(path)).build
    assert build is not None  # noqa: S101 - the chain ends in one
    return build


def plan(config: ConvertConfig) -> list[StepReport]:
    """What `convert` will do, for `--dry-run`."""
    return [StepReport(name, does(config)) for name, does, _ in _steps(config)]


def convert(
    config: ConvertConfig,
    folder: Path,
    where: str = "convert.yaml",
    watch: Callable[[str], None] = lambda _: None,
) -> Conversion:
    """Run the steps.

    Args:
        config: what to convert.
        folder: that its files are beside.
        where: the config's name, for messages.
        watch: is told the name of each step as it begins.

    Raises:
        ConfigError: the config is wrong.
        ConversionError: a step fails, or its result differs by more than `verify` allows.
        ExecutionError: an engine refuses a network.
        CaptureError: the frames to verify on cannot be read.
    """
    steps = Steps(config, folder, where)
    for name, does, run in _steps(config):
        watch(name)
        start = time.perf_counter()
        done = run(steps)
        steps.made.steps.append(
            StepReport(
                name,
                does(config),
                time.perf_counter() - start,
                done.verified,
                done.passes,
                done.notes,
            )
        )
    return steps.made


def _steps(
    config: ConvertConfig,
) -> list[tuple[str, Callable[[ConvertConfig], str], Callable[[Steps], Done]]]:
    steps: list[tuple[str, Callable[[ConvertConfig], str], Callable[[Steps], Done]]] = [
        ("export", _tell_export, Steps.export)
        if config.model.torch is not None
        else ("read", lambda config: f"{config.model.onnx}, checked", Steps.read),
        ("simplify", lambda _: "onnxsim and npukit's passes, each executed", Steps.simplify),
    ]
    if config.route == "caffe":
        steps.append(("caffe", _tell_caffe, Steps.caffe))
    steps.append(("build", lambda config: f"{config.name}.sim for the simulator", Steps.build))
    return steps


def _tell_export(config: ConvertConfig) -> str:
    weights = f" with {config.model.weights}" if config.model.weights else ""
    shapes = ", ".join(f"{name} {list(item.shape)}" for name, item in config.inputs.items())
    return f"{config.model.torch}{weights} to ONNX: {shapes} to {', '.join(config.outputs)}"


def _tell_caffe(config: ConvertConfig) -> str:
    return f"{config.name}.prototxt and .caffemodel, profile {caffe_form(config)}"
