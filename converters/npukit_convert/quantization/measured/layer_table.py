"""Every layer of a network with all that is known of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from npukit_convert.figures import Figures
from npukit_convert.quantization.measured.board_time import BoardTime
from npukit_convert.quantization.plans.kernels import Layers
from npukit_convert.quantization.plans.plan import PrecisionPlan
from npukit_convert.quantization.results import LayerResult
from npukit_convert.quantization.settings import FP16, MIXED


def layer_table(
    layers: Layers,
    plan: PrecisionPlan,
    keep: Collection[str],
    figures: Mapping[str, Figures],
    alone: Mapping[str, float],
    board: BoardTime | None,
) -> list[LayerResult]:
    """Put it together, in the network's order.

    Args:
        layers: of the network.
        plan: what they are computed in.
        keep: layers that were asked to stay in fp16.
        figures: of each node's result in the quantised network; see `layer_figures`.
        alone: PSNR with the layer alone in int8, where it was measured.
        board: for times.
    """
    # A Relu that became part of a layer's range stands for the layer.
    behind = {before: name for name, before in layers.along.items() if name in figures}
    results = []
    for name, operator in layers.operators.items():
        shown = figures.get(name) or figures.get(behind.get(name, ""))
        results.append(
            LayerResult(
                name,
                operator,
                plan.layers.get(name, FP16),
                _why(name, layers, plan, keep),
                None if shown is None else shown.snr_db,
                alone.get(name),
                board.macs.get(name, 0) if board else 0,
                board.fp16_us.get(name) if board else None,
                board.int8_us.get(name) if board else None,
            )
        )
    return results


def _why(name: str, layers: Layers, plan: PrecisionPlan, keep: Collection[str]) -> str:
    """Why a layer is in float; empty where it is not."""
    if name in layers.kept:
        return layers.kept[name]
    if plan.layers.get(name) != FP16:
        return ""
    if name in keep:
        return "asked for (quantization.keep)"
    int8 = plan.int8()
    before = [one for one in layers.feeding[name] if one not in int8]
    if before and name not in layers.settled({*int8, name}):
        return f"{before[0]}, which feeds it, is in float"
    return "returned to fp16 for the floor" if plan.preset == MIXED else "the plan says so"
