"""How long each layer takes on a board in fp16 and in int8, by the cost model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from npukit.profiles import boards, load_board, load_target
from npukit.runtime.declaration import InputSpec
from npukit_convert.cost import estimate, make_machine
from npukit_convert.quantization.plans.kernels import MATRIX
from npukit_convert.quantization.plans.plan import PrecisionPlan
from npukit_convert.quantization.settings import FP16, INT8

_MICRO, _MILLI = 1e6, 1e3


@dataclass(frozen=True)
class BoardTime:
    """A network on a board.

    Chips quantise convolutions and matrix products alone: for other layers both times are equal.
    What it takes to convert between both precisions is not counted.

    Attributes:
        board: its name.
        fp16_us, int8_us: by layer.
        macs: multiply-accumulates by layer.
        total_ms: all of it in fp16.
    """

    board: str
    fp16_us: Mapping[str, float]
    int8_us: Mapping[str, float]
    macs: Mapping[str, int]
    total_ms: float

    def saved_us(self, layer: str) -> float:
        """What int8 saves in a layer; below zero where its channels fill blocks badly."""
        return self.fp16_us.get(layer, 0.0) - self.int8_us.get(layer, 0.0)

    def plan_ms(self, plan: PrecisionPlan) -> float:
        """The network with a plan's layers in int8."""
        return self.total_ms - sum(map(self.saved_us, plan.int8())) / _MILLI


def board_times(
    model: ir.Model, inputs: Mapping[str, InputSpec], target: str | None
) -> list[BoardTime]:
    """Estimate a network on the boards of a target; without one, on all that have int8.

    Raises:
        ConversionError: a size depends on data.
    """
    found = []
    for board in map(load_board, boards()):
        if not {FP16, INT8} <= set(board.peak):
            continue
        if target in (None, "simulator", board.target):
            chip = load_target(board.target)
            fp16, int8 = (
                estimate(model, make_machine(board, chip, precision), inputs)
                for precision in (FP16, INT8)
            )
            names = {str(node.name): node.op_type for node in model.graph}
            layers = {one.name: one for one in fp16.layers if names.get(one.name) == one.operator}
            quick = {one.name: one.seconds * _MICRO for one in int8.layers}
            times = {name: one.seconds * _MICRO for name, one in layers.items()}
            found.append(
                BoardTime(
                    board.name,
                    times,
                    {name: quick[name] if names[name] in MATRIX else times[name] for name in times},
                    {name: one.work.macs for name, one in layers.items()},
                    fp16.seconds * _MILLI,
                )
            )
    return found
