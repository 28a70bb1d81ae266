"""An input of picture and state channels becomes two inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from npukit.errors import ConfigError, did_you_mean
from npukit_convert.graph import Array, Rewriter, attribute, constant, operand, shape
from npukit_convert.passes.base import Pass, Stage

PICTURE = 3  # channels


class SplitStateInput(Pass):
    """conv(concat(picture, state)) = conv(picture) + conv(state).

    A chip's preprocessing unit writes pictures of three channels; the state that a network
    carries from frame to frame needs an input of its own. Runs for the inputs it is asked for.
    """

    stage: ClassVar[Stage] = Stage.SPLIT
    summary: ClassVar[str] = "an input of picture and state channels as two inputs, when asked for"

    def __init__(self, splits: Mapping[str, tuple[str, str]] | None = None) -> None:
        """`splits` names the inputs to split, each with the picture's and the state's name."""
        self._splits = dict(splits or {})

    def apply(self, model: ir.Model, form: str) -> list[str]:
        """See `Pass.apply`.

        Raises:
            ConfigError: no such input, or it does not go to convolutions alone.
        """
        return [_split(model.graph, name, *names) for name, names in self._splits.items()]

    def feeds(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """See `Pass.feeds`."""
        made: dict[str, Array] = {}
        for name, value in given.items():
            if name in self._splits:
                parts = np.split(value, [PICTURE], axis=1)
                made.update(zip(self._splits[name], map(np.ascontiguousarray, parts), strict=True))
            else:
                made[name] = value
        return made


def _split(graph: ir.Graph, name: str, picture: str, state: str) -> str:
    old = {str(value.name): value for value in graph.inputs}
    if name not in old:
        raise ConfigError(f"no input {name!r} to split", hint=did_you_mean(name, old))
    taken = (set(old) - {name}) | {str(v.name) for node in graph for v in node.outputs}
    for new in (picture, state):
        if new in taken or picture == state:
            raise ConfigError(f"the name {new!r} for a part of {name!r} is taken")
    value = old[name]
    size = shape(value)
    if size is None or len(size) != 4 or size[1] <= PICTURE:
        raise ConfigError(
            f"input {name!r} is {size}, not a picture of 3 channels with state channels after them"
        )
    users = [use.node for use in value.uses()]
    for node in users:
        if not _splittable(node, value):
            raise ConfigError(
                f"input {name!r} goes to {node.op_type} {node.name}, not to a convolution alone",
                hint="let the network begin with convolutions, or give it two inputs",
            )
    channels = (PICTURE, size[1] - PICTURE)
    parts = [
        ir.val(new, value.dtype, (size[0], count, *size[2:]))
        for new, count in zip((picture, state), channels, strict=True)
    ]
    for node in users:
        _split_convolution(node, parts)
    place = graph.inputs.index(value)
    graph.inputs[place : place + 1] = parts
    return f"{name}: {PICTURE} channels as {picture}, {channels[1]} as {state}"


def _splittable(node: ir.Node, value: ir.Value) -> bool:
    return (
        node.op_type == "Conv"
        and node.inputs[0] is value
        and constant(operand(node, 1)) is not None
        and attribute(node, "group", 1) == 1
    )


def _split_convolution(node: ir.Node, parts: list[ir.Value]) -> None:
    rewriter = Rewriter(node)
    kernel = constant(operand(node, 1))
    assert kernel is not None  # noqa: S101 - checked above
    attributes = {name: found.value for name, found in node.attributes.items()}
    bias = operand(node, 2)
    sums = []
    for part, weights in zip(parts, np.split(kernel, [PICTURE], axis=1), strict=True):
        inputs = [part, rewriter.constant(weights), *([bias] if bias is not None else [])]
        sums.append(rewriter.add("Conv", inputs, **attributes))
        bias = None  # once
    rewriter.replace(rewriter.add("Add", sums))
