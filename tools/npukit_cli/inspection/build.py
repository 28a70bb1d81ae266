"""Simulator builds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npukit.runtime.base import input_tensor
from npukit.runtime.build import SimulatorBuild, parse_build
from npukit_cli.inspection.description import Description, Tensor, layout
from npukit_cli.inspection.onnx_network import describe_onnx


def describe_build(data: bytes, path: Path) -> Description:
    """Describe a simulator build: what it declares, and the network in it.

    Raises:
        ModelError: it is damaged.
        ConversionError: the network in it is.
    """
    build = parse_build(data, str(path))
    found = describe_onnx(build.onnx, path)
    wanted = {item.name: item for item in found.outputs}
    found.kind, found.bytes, found.name = "simulator build", len(data), build.name
    found.target = "simulator"
    found.inputs = build_inputs(build, str(path))
    found.outputs = tuple(wanted.get(name, Tensor(name, "", ())) for name in build.outputs)
    found.facts.update(record_of(build))
    return found


def build_inputs(build: SimulatorBuild, where: str) -> tuple[Tensor, ...]:
    """The inputs as a caller sees them: bytes of pictures, or tensors."""
    found = []
    for name, spec in build.inputs.items():
        tensor = input_tensor(name, spec, where)
        form = spec.preprocess.source if spec.preprocess else layout(spec.shape)
        found.append(Tensor(name, tensor.dtype, tensor.shape, form, tensor.nbytes))
    return tuple(found)


def record_of(build: SimulatorBuild) -> dict[str, Any]:
    """How it was made, its states, and its declarations."""
    declared = {
        f"preprocess {name}": spec.preprocess.to_dict()
        for name, spec in build.inputs.items()
        if spec.preprocess is not None
    }
    states = {"states": dict(build.states)} if build.states else {}
    return {**declared, **states, **({"record": dict(build.record)} if build.record else {})}
