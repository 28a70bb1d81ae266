"""Collects layers, names and refusals while a graph is converted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import Array, module_path, shape
from npukit_convert.onnx_to_caffe.net import Layer, Parameter

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Refusal:
    """Why a node has no Caffe form.

    Attributes:
        node, operator: the node's ONNX name and operator.
        module: where in the torch module it came from; empty when unknown.
        why: the reason, with numbers.
        instead: what to use instead.
    """

    node: str
    operator: str
    module: str
    why: str
    instead: str

    def __str__(self) -> str:
        place = f" (module {self.module})" if self.module else ""
        return f"{self.operator} {self.node}{place}: {self.why}; instead: {self.instead}"


@dataclass(frozen=True)
class Violation(Refusal):
    """A layer that breaks a limit of the reader: the operator is Caffe's.

    Attributes:
        layer: its name.
    """

    layer: str = ""

    @classmethod
    def of(cls, layer: Layer, text: str) -> Violation:
        """From `reason; remedy`."""
        why, _, instead = text.rpartition("; ") if "; " in text else (text, "", "")
        return cls(layer.node, layer.type, "", why, instead, layer.name)

    def __str__(self) -> str:
        remedy = f"; {self.instead}" if self.instead else ""
        return f"{self.operator} {self.layer} (from node {self.node}): {self.why}{remedy}"


class NetBuilder:
    """The net under construction; families add layers and refusals to it.

    Attributes:
        form: `caffe` (plain BVLC Caffe) or `caffe-omg` (the layers of Ascend's OMG compiler).
        layers: so far.
        refusals: so far; conversion goes on after one, so that all are named in one go.
        shapes: of every blob so far.
    """

    def __init__(self, form: str) -> None:
        self.form = form
        self.layers: list[Layer] = []
        self.refusals: list[Refusal] = []
        self.shapes: dict[str, Shape] = {}
        self.names: dict[str, str] = {}

    def blob(self, value: ir.Value | None) -> str:
        """The blob of a value that the network computes or takes."""
        if value is None or value.name not in self.names:
            raise KeyError(f"no blob for {value}")
        return self.names[value.name]

    def alias(self, value: ir.Value, blob: str) -> None:
        """Let a value stand for a blob that exists, where a node changes nothing."""
        self.names[str(value.name)] = blob

    def pass_through(self, node: ir.Node, blob: str, output: int = 0) -> None:
        """Let a node's output be a blob that exists; a network output gets a copying layer."""
        value = node.outputs[output]
        if value.is_graph_output():
            self.add(node, "Power", [blob], {"power_param": power()}, output=output)
        else:
            self.alias(value, blob)

    def new_blob(self, wanted: str, size: Shape) -> str:
        """A name of letters, digits and underscores that no other blob has."""
        clean = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "blob"
        name, count = clean, 1
        while name in self.shapes:
            count += 1
            name = f"{clean}_{count}"
        self.shapes[name] = size
        return name

    def add(
        self,
        node: ir.Node,
        kind: str,
        bottoms: Sequence[str],
        parameters: Mapping[str, Mapping[str, Parameter]] | None = None,
        blobs: Sequence[Array] = (),
        output: int = 0,
    ) -> str:
        """A layer whose top is the node's output; the blob's name is returned."""
        value = node.outputs[output]
        top = self._add(node, kind, bottoms, [(str(value.name), _static(value))], parameters, blobs)
        self.alias(value, top[0])
        return top[0]

    def add_inner(
        self,
        node: ir.Node,
        kind: str,
        bottoms: Sequence[str],
        size: Shape,
        parameters: Mapping[str, Mapping[str, Parameter]] | None = None,
        blobs: Sequence[Array] = (),
    ) -> str:
        """A layer between a node's input and its last layer, with a top of the given shape."""
        wanted = f"{node.outputs[0].name}_{kind.lower()}"
        return self._add(node, kind, bottoms, [(wanted, size)], parameters, blobs)[0]

    def add_split(
        self,
        node: ir.Node,
        kind: str,
        bottoms: Sequence[str],
        parameters: Mapping[str, Mapping[str, Parameter]] | None = None,
    ) -> tuple[str, ...]:
        """A layer with one top for each of the node's outputs."""
        wanted = [(str(value.name), _static(value)) for value in node.outputs]
        tops = self._add(node, kind, bottoms, wanted, parameters, ())
        for value, top in zip(node.outputs, tops, strict=True):
            self.alias(value, top)
        return tops

    def refuse(self, node: ir.Node, why: str, instead: str) -> None:
        """Note that a node has no Caffe form; its outputs stand in so that the rest is seen."""
        self.refusals.append(
            Refusal(
                node.name or str(node.outputs[0].name),
                node.op_type,
                module_path(node),
                why,
                instead,
            )
        )
        for value in node.outputs:
            if str(value.name) not in self.names:
                self.alias(value, self.new_blob(str(value.name), shape(value) or ()))

    def _add(
        self,
        node: ir.Node,
        kind: str,
        bottoms: Sequence[str],
        wanted: Sequence[tuple[str, Shape]],
        parameters: Mapping[str, Mapping[str, Parameter]] | None,
        blobs: Sequence[Array],
    ) -> tuple[str, ...]:
        tops = tuple(self.new_blob(name, size) for name, size in wanted)
        weights = tuple(np.ascontiguousarray(blob, np.float32) for blob in blobs)
        self.layers.append(
            Layer(tops[0], kind, tuple(bottoms), tops, parameters or {}, weights, node.name or "")
        )
        return tops


def power(power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> dict[str, Parameter]:
    """The parameters of a Power layer: (shift + scale * x) ** power."""
    return {"power": power, "scale": scale, "shift": shift}


def _static(value: ir.Value) -> Shape:
    size = shape(value)
    if size is None:
        raise ValueError(f"{value.name} has no static shape")
    return size
