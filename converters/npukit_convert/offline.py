"""The offline model that the simulator runs for Ascend, and what AIPP and fp16 change in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npukit.aipp import (
    AippOp,
    Rounding,
    executor,
    lowering_error,
    to_text,
)
from npukit.arrays import F32, U8
from npukit.frame import Nv21Frame
from npukit.om import wrap
from npukit.preprocess import to_tensor
from npukit.runtime.base import input_tensor
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec
from npukit_convert.aipp_file import aipp_config
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder
from npukit_convert.figures import Spread, spread
from npukit_convert.fp16 import emulate
from npukit_convert.om_graph import om_graph

AIPP, ROUNDING, FP16 = "AIPP", "AIPP rounding", "fp16"


def wrap_offline(build: SimulatorBuild, onnx: bytes) -> tuple[bytes, str | None]:
    """The .om for the simulator, and the text of its AIPP configuration.

    Args:
        build: what the simulator executes.
        onnx: the network as readers of the file should see it.
    """
    config = aipp_config(build.inputs)
    if not config.aipp_op:
        return wrap(build, om_graph(onnx)), None
    pictures = [name for name, spec in build.inputs.items() if spec.preprocess is not None]
    fields = {name: _fields(op) for name, op in zip(pictures, config.aipp_op, strict=True)}
    return wrap(build, om_graph(onnx), fields), to_text(config)


def measure(
    onnx: bytes, inputs: Mapping[str, InputSpec], frames: Sequence[Nv21Frame]
) -> dict[str, Spread]:
    """What Ascend's arithmetic changes in the outputs: on real frames, each time the same bytes.

    Returns:
        `AIPP`, against float preprocessing; `AIPP rounding`, its colour conversion truncated, as
        documented, against rounded; `fp16`, emulated, against float32 behind the same AIPP.
    """
    exact, in_fp16 = OnnxRuntime(onnx), OnnxRuntime(emulate(onnx))
    apart: dict[str, list[F32]] = {AIPP: [], ROUNDING: [], FP16: []}
    for frame in frames:
        tensors = Feeder(inputs).frame(frame)
        packed = {
            name: input_tensor(name, spec, name).feed(frame)
            for name, spec in inputs.items()
            if spec.preprocess is not None
        }
        aipp = exact.run(tensors | _through_aipp(inputs, packed, Rounding.TRUNCATE))
        others = {
            AIPP: exact.run(tensors | _through_floats(inputs, packed)),
            ROUNDING: exact.run(tensors | _through_aipp(inputs, packed, Rounding.NEAREST)),
            FP16: in_fp16.run(tensors | _through_aipp(inputs, packed, Rounding.TRUNCATE)),
        }
        for what, found in others.items():
            apart[what] += [np.abs(value - found[name]).ravel() for name, value in aipp.items()]
    return {what: spread(np.concatenate(parts)) for what, parts in apart.items()}


def lowering_note(inputs: Mapping[str, InputSpec]) -> str:
    """How exactly AIPP's format can say the declared scaling."""
    errors = [lowering_error(s.preprocess) for s in inputs.values() if s.preprocess is not None]
    most = max(max(error.max_abs) for error in errors)
    return f"AIPP's float16 scaling is within {most:.2g} of the declared one"


def _through_aipp(
    inputs: Mapping[str, InputSpec], packed: Mapping[str, U8], rounding: Rounding
) -> dict[str, F32]:
    return {
        name: executor(spec.preprocess, (spec.shape[3], spec.shape[2]), rounding)(packed[name])
        for name, spec in inputs.items()
        if spec.preprocess is not None
    }


def _through_floats(inputs: Mapping[str, InputSpec], packed: Mapping[str, U8]) -> dict[str, F32]:
    return {
        name: to_tensor(spec.preprocess, packed[name])
        for name, spec in inputs.items()
        if spec.preprocess is not None
    }


def _fields(op: AippOp) -> dict[str, Any]:
    """The fields that are given, by the vendor's names; enums as numbers."""
    return {
        name: list(value) if isinstance(value, tuple) else _number(value)
        for name, value in op.given().items()
        if not isinstance(value, str)
    }


def _number(value: Any) -> Any:
    return value if isinstance(value, (bool, float)) else int(value)
