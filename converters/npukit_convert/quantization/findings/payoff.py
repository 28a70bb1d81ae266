"""Whether int8 will pay, said before anything is computed: from the graph alone.

The simulated board is a CPU, and its time is what is estimated here. What int8 is on a board says
the cost model (`npukit_convert.cost`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from npukit_convert.graph import constant, read_graph
from npukit_convert.quantization.measured.cpu_time import FLOAT, CpuTime, Family
from npukit_convert.quantization.plans.kernels import MATRIX, Layers, find_layers
from npukit_convert.quantization.results import Finding

PAYS, LITTLE, SLOWER = "pays", "pays little", "does not pay"
_PAYS_FROM, _FASTER_FROM = 1.4, 1.05
_TOLD, _WORTH_A_WORD = 4, 0.05
_SIZE_AIM = 0.5  # what fp16 has without any loss

# Bytes of the file beside weights: by channel a scale, a bias and their zero points, by layer the
# nodes that say so. (Those of activations are about made up for by what is left out.)
_CHANNEL_BYTES, _LAYER_BYTES = 13, 150


@dataclass(frozen=True)
class Payoff:
    """What int8 is expected to bring on a CPU.

    Attributes:
        speed_ratio: float32 : int8 in time; above 1 is faster.
        size_ratio: int8 : float32 in bytes.
        families: those the network has; those that gain least come first.
        reasons: with numbers; what takes longer in int8.
    """

    speed_ratio: float
    size_ratio: float
    families: Sequence[Family]
    reasons: Sequence[str]

    @property
    def verdict(self) -> str:
        """`pays`, `pays little` or `does not pay`."""
        if self.speed_ratio >= _PAYS_FROM:
            return PAYS
        return LITTLE if self.speed_ratio >= _FASTER_FROM else SLOWER

    @property
    def text(self) -> str:
        """One sentence."""
        return (
            f"int8 {self.verdict} on a CPU: expected {self.speed_ratio:.1f}x the speed of "
            f"float32, at {self.size_ratio:.2f} of the size"
        )

    def findings(self) -> tuple[Finding, ...]:
        """A warning where int8 does not pay, or hardly; else nothing."""
        if self.verdict == PAYS:
            return ()
        remedy = (
            "precision fp16 halves the size without this loss"
            if self.size_ratio > _SIZE_AIM or self.verdict == SLOWER
            else "compare the estimate of the board before you choose"
        )
        return (Finding("will-not-pay", "; ".join((self.text, *self.reasons)), remedy),)


def payoff(network: bytes, layers: Layers | None = None) -> Payoff:
    """Estimate what int8 brings; nothing is executed.

    Args:
        network: float32 ONNX with fixed sizes; names of nodes as `qdq.prepare` makes them.
        layers: of the network, where they were found already.

    Raises:
        ConversionError: not an ONNX network, or one that is quantised already.
    """
    model = read_graph(network, raised=False)
    layers = layers or find_layers(model)
    int8 = layers.settled(layers.able)
    counted = CpuTime(model, layers, int8)
    float_us = sum(one.fp32_us for one in counted.families) or 1.0
    int8_us = sum(one.int8_us for one in counted.families) or 1.0
    return Payoff(
        speed_ratio=float_us / int8_us,
        size_ratio=_size_ratio(model, len(network), int8),
        families=counted.families,
        reasons=tuple(_reasons(counted, float_us)),
    )


def _size_ratio(model: ir.Model, size: int, int8: Collection[str]) -> float:
    saved = 0
    weights = {  # several layers may share one
        str(node.inputs[1].name): node
        for node in model.graph
        if str(node.name) in int8 and node.op_type in MATRIX and node.inputs[1] is not None
    }
    for node in weights.values():
        weight = constant(node.inputs[1])
        if weight is not None:
            channels = weight.shape[0] if node.op_type == "Conv" else weight.shape[-1]
            saved += 3 * weight.size - _CHANNEL_BYTES * channels - _LAYER_BYTES
    return 1 - saved / max(size, 1)


def _reasons(counted: CpuTime, float_us: float) -> list[str]:
    """What int8 makes slower, the worst first, where it is worth a word."""
    reasons = []
    for one in counted.families[:_TOLD]:
        lost = one.int8_us - one.fp32_us
        if lost < _WORTH_A_WORD * float_us:
            break
        which = str(one.layers)
        if one.name == FLOAT:
            most = sorted(counted.operators.items(), key=lambda item: -item[1])
            which = ", ".join(f"{count} {operator}" for operator, count in most[:_TOLD])
        reasons.append(f"{one.name} ({which}) add {lost / 1e3:.2f} ms")
    if reasons:
        reasons.insert(0, f"float32 takes about {float_us / 1e3:.2f} ms")
    if counted.small and reasons:
        reasons.append(f"{counted.small} convolutions take as long to start as to compute")
    return reasons
