"""A network as it is given to a compiler, from whatever names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir

from npukit.errors import ConfigError
from npukit.profiles import Board, Target, load_target
from npukit.runtime.build import is_build, read_build
from npukit.runtime.declaration import InputSpec
from npukit_convert.graph import read_graph
from npukit_convert.onnx_to_caffe.builder import Refusal
from npukit_convert.onnx_to_caffe.convert import try_caffe
from npukit_convert.onnx_to_caffe.net import CaffeNet
from npukit_convert.request import read_request
from npukit_convert.rewriting import ONNXSIM
from npukit_convert.simplify import simplify
from npukit_convert.steps import Steps

ROUTES = ("onnx", "caffe")
_CAFFE = "caffe-omg"
# What a network is made of matters here; `npukit convert` sees to its numbers.
_LOOSE: Mapping[str, Any] = {"verify.max_abs": 1.0, "verify.cosine": -1.0, "verify.frames": None}
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class CompilerInput:
    """A network on its way to a compiler.

    Attributes:
        name: of the model.
        route: `onnx` or `caffe`.
        target: of the config; None where nothing names one.
        inputs: shape and preprocessing by name.
        plain: simplified, with the operators that it was trained with.
        given: what the compiler gets: `plain`, or its form in Caffe's operators.
        caffe: that form as a net; None for the route `onnx`.
        refused: parts that have no form in Caffe.
    """

    name: str
    route: str
    target: str | None
    inputs: Mapping[str, InputSpec]
    plain: ir.Model
    given: ir.Model
    caffe: CaffeNet | None = None
    refused: tuple[Refusal, ...] = ()


def compiler_input(
    source: str, overrides: Mapping[str, Any] | None = None, routes: Sequence[str] = ROUTES
) -> CompilerInput:
    """Read a simulator build, or what `npukit convert` takes, and bring it into its last form.

    Args:
        source: `MODEL.onnx`, `CONFIG.yaml`, `MODULE.py:FACTORY` or a simulator build.
        overrides: dotted key of the config to value; of a build, `route` and `target` alone.
        routes: that can be taken, the preferred one first. What the overrides say comes first,
            then what the config says, if it is among these.

    Raises:
        ConfigError: another kind of file, or a wrong value.
        ConversionError: the network cannot be read or executed.
        ModelError: the build is damaged.
    """
    keys = {key: value for key, value in (overrides or {}).items() if value is not None}
    if Path(source).is_file() and is_build(source):
        unknown = sorted(set(keys) - {"route", "target"})
        if unknown:
            raise ConfigError(f"{unknown[0]} is fixed in a simulator build", where=source)
        build = read_build(source)
        route = keys.get("route", routes[0])
        return _made(build.name, build.onnx, build.inputs, route, keys.get("target"))
    request = read_request(source, {**_LOOSE, **keys})
    config = request.config
    steps = Steps(config, request.folder, request.where)
    (steps.read if config.model.torch is None else steps.export)()
    done = simplify(
        steps.made.onnx, "onnx", off=config.passes.off, splits=dict(config.passes.split),
        fp16=False, tolerance=_TOLERANCE,
    )  # fmt: skip
    wanted = "route" in keys or config.route in routes
    return _made(
        config.name, done.onnx, config.input_specs(request.where),
        config.route if wanted else routes[0], config.target,
    )  # fmt: skip


def routes_to(board: Board, target: Target) -> tuple[str, ...]:
    """Model formats that a compiler of the board reads: ONNX first, where there is a choice."""
    known = set(board.compilers.value or ())
    return tuple(
        route for route in ROUTES
        if route in target.routes and known & set(target.routes[route].value or ())
    )  # fmt: skip


def find_target(named: str) -> Target:
    """A target that networks are compiled for.

    Raises:
        ConfigError: an unknown one, or one that has no compiler.
    """
    target = load_target(named)
    if not any(figure.value for figure in target.operators.values()):
        raise ConfigError(
            f"nothing is compiled for {target.title}", hint="targets: ascend310, ascend310b"
        )
    return target


def _made(
    name: str, onnx: bytes, inputs: Mapping[str, InputSpec], route: str, target: str | None
) -> CompilerInput:
    plain = read_graph(onnx, name, raised=False)
    if route == "onnx":
        return CompilerInput(name, route, target, inputs, plain, plain)
    if route != "caffe":
        raise ConfigError(f"unknown route {route!r}", hint="routes: onnx, caffe")
    lowered = simplify(
        onnx, _CAFFE, off={ONNXSIM}, inputs=inputs, fp16=False, tolerance=_TOLERANCE
    ).onnx
    net, refused = try_caffe(read_graph(lowered, name), _CAFFE, name)
    return CompilerInput(
        name, route, target, inputs, plain, read_graph(lowered, name), net, tuple(refused)
    )
