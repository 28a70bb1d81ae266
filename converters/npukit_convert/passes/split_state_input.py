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
    """conv(concat(picture, state)) = conv(picture) + conv(state); other users get a Concat.

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
            ConfigError: no such input, or no picture with state channels.
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
    channels = (PICTURE, size[1] - PICTURE)
    parts = [
        ir.val(new, value.dtype, (size[0], count, *size[2:]))
        for new, count in zip((picture, state), channels, strict=True)
    ]
    for node in {use.node for use in value.uses() if _splittable(use.node, value)}:
        _split_convolution(node, parts)
    if value.uses():
        _join(graph, value, parts)
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


def _join(graph: ir.Graph, value: ir.Value, parts: list[ir.Value]) -> None:
    name = f"{value.name}/joined"
    joined = ir.val(name, value.dtype, value.shape)
    node = ir.node("Concat", parts, {"axis": 1}, outputs=[joined], name=name)
    first = next(one for one in graph if value in one.inputs)
    graph.insert_before(first, node)
    value.replace_all_uses_with(joined, replace_graph_outputs=True)
