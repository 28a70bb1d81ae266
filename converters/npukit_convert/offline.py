"""The offline model that the simulator runs for Ascend, and what AIPP and fp16 change in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npukit.aipp import AippConfig, executor, lower, lowering_error, to_text
from npukit.arrays import F32
from npukit.frame import Nv21Frame
from npukit.om import wrap
from npukit.preprocess import to_tensor
from npukit.runtime.base import input_tensor
from npukit.runtime.build import SimulatorBuild
from npukit.runtime.declaration import InputSpec
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder
from npukit_convert.fp16 import emulate
from npukit_convert.om_graph import om_graph

_MANY = 99.9  # per cent of an output's numbers


def aipp_config(inputs: Mapping[str, InputSpec]) -> AippConfig | None:
    """The configuration of a network's pictures; None for a network without any.

    Raises:
        AippError: AIPP cannot do what an input declares.
    """
    configs = [
        lower(spec.preprocess, rank, (spec.shape[3], spec.shape[2]))
        for rank, spec in enumerate(inputs.values())
        if spec.preprocess is not None
    ]
    if not configs:
        return None
    return AippConfig(aipp_op=tuple(op for config in configs for op in config.aipp_op))


def wrap_offline(build: SimulatorBuild, onnx: bytes) -> tuple[bytes, str | None]:
    """The .om for the simulator, and the text of its AIPP configuration.

    Args:
        build: what the simulator executes.
        onnx: the network as readers of the file should see it.
    """
    config = aipp_config(build.inputs)
    if config is None:
        return wrap(build, om_graph(onnx)), None
    pictures = [name for name, spec in build.inputs.items() if spec.preprocess is not None]
    fields = {name: _fields(op) for name, op in zip(pictures, config.aipp_op, strict=True)}
    return wrap(build, om_graph(onnx), fields), to_text(config)


def measure(
    onnx: bytes, inputs: Mapping[str, InputSpec], frames: Sequence[Nv21Frame]
) -> dict[str, float]:
    """What Ascend's arithmetic changes in the outputs, on real frames.

    Returns:
        `lowering_error`: of a network input, at most, by what AIPP's format can say;
        `aipp_mean`, `aipp_p99.9`: of an output's numbers, AIPP against float preprocessing, on
        the same bytes; `fp16_mean`, `fp16_p99.9`, `fp16_max_abs`: emulated fp16 against float32,
        on AIPP's result.
    """
    exact, rounded = OnnxRuntime(onnx), OnnxRuntime(emulate(onnx))
    apart: list[F32] = []
    rounding: list[F32] = []
    feeder = Feeder(inputs)
    for frame in frames:
        aipp, plain = feeder.frame(frame), feeder.frame(frame)
        for name, spec in inputs.items():
            if spec.preprocess is not None:
                packed = input_tensor(name, spec, name).feed(frame)
                aipp[name] = executor(spec.preprocess, (spec.shape[3], spec.shape[2]))(packed)
                plain[name] = to_tensor(spec.preprocess, packed)
        with_aipp, without, in_fp16 = exact.run(aipp), exact.run(plain), rounded.run(aipp)
        for name, value in with_aipp.items():
            apart.append(np.abs(value - without[name]).ravel())
            rounding.append(np.abs(value - in_fp16[name]).ravel())
    aipp_apart, fp16_apart = np.concatenate(apart), np.concatenate(rounding)
    errors = [lowering_error(s.preprocess) for s in inputs.values() if s.preprocess is not None]
    return {
        "lowering_error": max(max(error.max_abs) for error in errors),
        "aipp_mean": float(aipp_apart.mean()),
        "aipp_p99.9": float(np.percentile(aipp_apart, _MANY)),
        "fp16_mean": float(fp16_apart.mean()),
        "fp16_p99.9": float(np.percentile(fp16_apart, _MANY)),
        "fp16_max_abs": float(fp16_apart.max()),
    }


def _fields(op: Any) -> dict[str, Any]:
    """The fields that are set, by the vendor's names; enums as numbers."""
    found = {}
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        if value is None or value == () or isinstance(value, str):
            continue
        found[field.name] = list(value) if isinstance(value, tuple) else _number(value)
    return found


def _number(value: Any) -> Any:
    return value if isinstance(value, (bool, float)) else int(value)
