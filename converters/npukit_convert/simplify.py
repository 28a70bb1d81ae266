"""An ONNX graph made fit for a format by passes, each executed before and after."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import onnx as onnx_package

from npukit.errors import ConfigError, did_you_mean
from npukit.runtime.declaration import InputSpec
from npukit_convert import probes
from npukit_convert.errors import ConversionError
from npukit_convert.passes import PASSES
from npukit_convert.passes.base import Pass
from npukit_convert.passes.split_state_input import SplitStateInput
from npukit_convert.rewriting import ONNXSIM, Runner, Simplified


def lower(done: Simplified, form: str, off: Collection[str] = ()) -> Simplified:
    """Go on towards another format; what was computed on the way is not computed again.

    Args:
        done: by `simplify`; not to be gone on from twice.
        form: as for `simplify`.
        off: names of passes that do not run.

    Raises:
        ConfigError: an unknown pass in `off`.
    """
    passes = select(form, off)
    runner = done.runner.towards(form)
    runner.run(passes)
    return runner.result()


def simplify(
    onnx: bytes,
    form: str,
    *,
    inputs: Mapping[str, InputSpec] | None = None,
    feeds: Sequence[probes.Feeds] = (),
    tolerance: float = 1e-4,
    off: Collection[str] = (),
    splits: Mapping[str, tuple[str, str]] | None = None,
    fp16: bool = True,
) -> Simplified:
    """Run onnxsim, then every pass for a format; keep only what computes the same.

    A pass that fails, or whose graph ONNX Runtime refuses or computes otherwise, is undone and
    reported in `Simplified.steps`.

    Args:
        onnx: float32; sizes are fixed, or given by `inputs`.
        form: what the graph is on its way to: `onnx`, `caffe` or `caffe-omg`.
        inputs: shapes and preprocessing by name, for the inputs that graphs are compared on.
        feeds: real inputs to compare on as well as noise.
        tolerance: largest difference of an output that a pass may make, relative to the
            output's largest number (at least 0.1).
        off: names of passes that do not run; `onnxsim` is one.
        splits: inputs to split in image and state channels, with the two new names.
        fp16: measure each step's error in fp16 too.

    Raises:
        ConfigError: an unknown pass in `off`, an unknown input in `splits`.
        ConversionError: the network itself cannot be read or executed.
    """
    passes = select(form, off, splits)
    onnx = _with_sizes(onnx, inputs)
    runner = Runner(onnx, form, probes.probes(onnx, inputs, feeds), tolerance, fp16)
    if ONNXSIM not in off:
        runner.onnxsim()
    runner.run(passes)
    return runner.result()


def select(
    form: str,
    off: Collection[str] = (),
    splits: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, Pass]:
    """The passes for a format by name, in the order they run.

    Raises:
        ConfigError: an unknown name in `off`.
        PluginError: a pass that cannot be imported.
    """
    known = (*PASSES.names(), ONNXSIM)
    for name in off:
        if name not in known:
            raise ConfigError(f"unknown pass {name!r}", hint=did_you_mean(name, known))
    kinds = {name: PASSES.get(name) for name in PASSES.names() if name not in off}
    order = sorted(
        (name for name, kind in kinds.items() if form in kind.formats),
        key=lambda name: (kinds[name].stage, name),
    )
    return {
        name: SplitStateInput(splits or {}) if kinds[name] is SplitStateInput else kinds[name]()
        for name in order
    }


def run_passes(
    onnx: bytes,
    passes: Mapping[str, Pass],
    form: str,
    *,
    probed: probes.Probes,
    tolerance: float = 1e-4,
    fp16: bool = True,
) -> Simplified:
    """Run these passes alone, in their order, each verified as by `simplify`.

    Raises:
        ConversionError: the network itself cannot be read or executed.
    """
    runner = Runner(onnx, form, probed, tolerance, fp16)
    runner.run(passes)
    return runner.result()


def _with_sizes(onnx: bytes, inputs: Mapping[str, InputSpec] | None) -> bytes:
    """The network with the sizes of its inputs fixed to those given."""
    if not inputs:
        return onnx
    try:
        model = onnx_package.load_model_from_string(onnx)
    except Exception as error:  # protobuf raises many kinds
        raise ConversionError(f"not an ONNX model: {error}") from error
    for value in model.graph.input:
        sides = value.type.tensor_type.shape.dim
        if value.name not in inputs or len(sides) != len(inputs[value.name].shape):
            continue
        for side, size in zip(sides, inputs[value.name].shape, strict=True):
            if not side.HasField("dim_value"):
                side.dim_value = size
    fixed: bytes = model.SerializeToString()
    return fixed
