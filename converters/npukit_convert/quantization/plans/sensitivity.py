"""How much each layer alone in int8 costs in accuracy: measured, not guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from npukit_convert.quantization.plans.plan import PrecisionPlan

MOST_EVALUATIONS = 160


def sensitivity(
    plan: PrecisionPlan,
    worst_psnr: Callable[[PrecisionPlan], float],
    most: int = MOST_EVALUATIONS,
) -> dict[str, float]:
    """Put each int8 layer of a plan alone into int8.

    A network of more layers than `most` is measured in runs of layers that follow each other, and
    the noise of a run is shared out among them evenly.

    Args:
        plan: whose int8 layers are measured.
        worst_psnr: makes and executes the network of a plan: PSNR of the worst output against
            float32, dB.
        most: how many networks are executed at most.

    Returns:
        Layer to that PSNR; inf where nothing changes.
    """
    found: dict[str, float] = {}
    for run in _runs(plan.int8(), most):
        share = worst_psnr(plan.with_int8(run)) + 10.0 * math.log10(len(run))
        found.update(dict.fromkeys(run, share))
    return found


def _runs(layers: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """Runs of nearly equal length."""
    count = min(most, len(layers))
    for place in range(count):
        yield layers[place * len(layers) // count : (place + 1) * len(layers) // count]
