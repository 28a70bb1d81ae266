"""How long a network takes on a board, layer by layer: a roofline, nothing fitted.

Each layer takes the longer of two times: its multiply-adds, filling included, at the board's
peak; its bytes at the bandwidth of the board's memory. The model knows no cost of starting a
layer, no time of the vector unit, and no reuse between layers on the chip; it lets an operator
on single numbers run where the layer before it writes. `npukit estimate --published` shows how
far that is from published times. Roofline: Williams, Waterman, Patterson, CACM 52(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from npukit.errors import ConfigError
from npukit.profiles import Board, Target
from npukit.runtime.declaration import InputSpec
from npukit_convert.graph import constant, shape
from npukit_convert.memory import peak_bytes
from npukit_convert.workload import FREE, Format, Work, tensor_bytes, work_of

PRECISIONS: Mapping[str, int] = {"fp16": 2, "int8": 1}  # bytes of a number
_FLOAT = 4  # bytes of a number as the host has it


@dataclass(frozen=True)
class Machine:
    """A board as the cost model sees it.

    Attributes:
        board: its name.
        precision: `fp16` or `int8`.
        ops: peak operations a second; a multiply-add is two.
        bandwidth: of the NPU's memory, bytes a second.
        copy_bandwidth: between CPU and NPU; None where a copy is a write and a read of memory.
        format: how numbers are stored.
        sources: figure to its citation.
    """

    board: str
    precision: str
    ops: float
    bandwidth: float
    copy_bandwidth: float | None
    format: Format
    sources: Mapping[str, str]

    def copy_seconds(self, count: int) -> float:
        """Time to bring bytes from one side to the other."""
        return count / self.copy_bandwidth if self.copy_bandwidth else 2 * count / self.bandwidth

    def seconds(self, work: Work) -> float:
        """The longer of computing and moving."""
        return max(2 * work.padded_macs / self.ops, work.moved / self.bandwidth)


@dataclass(frozen=True)
class LayerCost:
    """One layer on one board.

    Attributes:
        name: of the node, or of the input or output that is brought over.
        operator: ONNX's, or `Copy`, `Aipp` (colours and scaling), `Cast` (layout and precision).
        work: what it computes and moves.
        compute_s, memory_s: seconds for either.
        fused: operators that run where it writes.
    """

    name: str
    operator: str
    work: Work
    compute_s: float
    memory_s: float
    fused: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The longer of both."""
        return max(self.compute_s, self.memory_s)

    @property
    def bound(self) -> str:
        """What it waits for."""
        return "compute" if self.compute_s > self.memory_s else "memory"


@dataclass(frozen=True)
class Estimate:
    """A network on a board.

    Attributes:
        layers: in the order of execution.
        weights: bytes of the constants as they lie in memory.
        peak: bytes of weights and feature maps at the fullest moment.
    """

    machine: Machine
    layers: tuple[LayerCost, ...]
    weights: int
    peak: int

    @property
    def seconds(self) -> float:
        """From handing over the input to having the output."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds that the result needs."""
        return sum(layer.work.macs for layer in self.layers)

    def dominant(self, count: int = 10) -> list[LayerCost]:
        """The longest layers, longest first."""
        return sorted(self.layers, key=lambda layer: -layer.seconds)[:count]


def make_machine(board: Board, target: Target, precision: str = "fp16") -> Machine:
    """The figures of a board.

    Raises:
        ConfigError: a precision that the board has no peak for, or a figure nobody publishes.
    """
    if precision not in PRECISIONS or precision not in board.peak:
        raise ConfigError(
            f"no peak of {board.name} in {precision}",
            hint=f"it has: {', '.join(one for one in board.peak if one in PRECISIONS) or 'none'}",
        )
    memory = board.cost.get("ddr_bandwidth", board.ddr_bandwidth)
    figures = {
        f"peak.{precision}": board.peak[precision],
        "ddr_bandwidth": memory,
        "copy_bandwidth": board.cost["copy_bandwidth"],
        f"channel_block.{precision}": target.channel_block[precision],
    }
    copy = figures["copy_bandwidth"]
    return Machine(
        board=board.name,
        precision=precision,
        ops=board.peak[precision].number() * 1e12,
        bandwidth=memory.number() * 1e9,
        copy_bandwidth=None if copy.value is None else copy.number() * 1e9,
        format=Format(int(target.channel_block[precision].number()), PRECISIONS[precision]),
        sources={
            name: f"{'-' if one.value is None else f'{one.value} {one.unit}'}: {one.source}"
            for name, one in figures.items()
        },
    )


def estimate(
    model: ir.Model, machine: Machine, inputs: Mapping[str, InputSpec] | None = None
) -> Estimate:
    """Count every layer.

    Args:
        model: static sizes; constants as initializers. It is not changed.
        machine: the board.
        inputs: shape and preprocessing by name; an input without is float32.

    Raises:
        ConversionError: a size depends on data.
    """
    hosts = fused_into(model)
    guests: dict[ir.Node, list[str]] = {}
    for node, host in hosts.items():
        guests.setdefault(host, []).append(node.op_type)
    layers = [
        layer
        for value in model.graph.inputs
        if not value.is_initializer()
        for layer in _brought_in(value, machine, (inputs or {}).get(str(value.name)))
    ]
    layers += [
        _layer(node.name or "", node.op_type, work_of(node, machine.format), machine,
               tuple(guests.get(node, ())))
        for node in model.graph
        if node not in hosts and node.op_type not in FREE and not _known(node)
    ]  # fmt: skip
    for value in model.graph.outputs:
        layers += _taken_out(value, machine)
    weights = sum(layer.work.weights for layer in layers)
    return Estimate(
        machine,
        tuple(layers),
        weights,
        weights + peak_bytes(model, machine.format, set(hosts)),
    )


# Operators on single numbers, with at most one input that is computed.
_POINTWISE = frozenset(
    ["Abs", "Add", "BatchNormalization", "Clip", "Div", "Elu", "Exp", "HardSigmoid", "HardSwish",
     "LeakyRelu", "Mul", "Neg", "PRelu", "Pow", "Relu", "Selu", "Sigmoid", "Softplus", "Sqrt",
     "Sub", "Tanh"]
)  # fmt: skip
_MATRIX = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def fused_into(model: ir.Model) -> dict[ir.Node, ir.Node]:
    """Nodes that run where a layer of the matrix unit writes, with that layer."""
    hosts: dict[ir.Node, ir.Node] = {}
    for node in model.graph:
        computed = [one for one in node.inputs if one is not None and constant(one) is None
                    and not (one.is_initializer() and not one.is_graph_input())]  # fmt: skip
        if node.op_type not in _POINTWISE or len(computed) != 1:
            continue
        before = computed[0].producer()
        if before is None or computed[0].is_graph_output() or len(computed[0].uses()) != 1:
            continue
        if shape(computed[0]) != shape(node.outputs[0]):
            continue
        if before in hosts:
            hosts[node] = hosts[before]
        elif before.op_type in _MATRIX:
            hosts[node] = before
    return hosts


def _known(node: ir.Node) -> bool:
    """Whether a node computes with constants alone: the compiler does that."""
    return all(one is None or constant(one) is not None for one in node.inputs)


def _layer(
    name: str, operator: str, work: Work, machine: Machine, fused: tuple[str, ...] = ()
) -> LayerCost:
    computed = 2 * work.padded_macs / machine.ops
    return LayerCost(name, operator, work, computed, work.moved / machine.bandwidth, fused)


def _copy(name: str, count: int, machine: Machine) -> LayerCost:
    return LayerCost(name, "Copy", Work(read=count), 0.0, machine.copy_seconds(count))


def _brought_in(value: ir.Value, machine: Machine, spec: InputSpec | None) -> list[LayerCost]:
    name, size = str(value.name), shape(value) or ()
    declared = None if spec is None else spec.preprocess
    if declared is None:
        count, how = math.prod(size) * _FLOAT, "Cast"
    else:
        count, how = math.prod(declared.packed_shape(size[3], size[2])), "Aipp"
    made = Work(read=count, written=tensor_bytes(size, machine.format))
    return [_copy(name, count, machine), _layer(name, how, made, machine)]


def _taken_out(value: ir.Value, machine: Machine) -> list[LayerCost]:
    name, size = str(value.name), shape(value) or ()
    count = math.prod(size) * _FLOAT
    made = Work(read=tensor_bytes(size, machine.format), written=count)
    return [_layer(name, "Cast", made, machine), _copy(name, count, machine)]
