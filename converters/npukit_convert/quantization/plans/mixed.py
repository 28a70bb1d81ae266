"""The search for a mixed-precision plan: as few and cheap layers in fp16 as the floor allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from npukit_convert.quantization.plans.kernels import Layers
from npukit_convert.quantization.plans.plan import PrecisionPlan

MOST_EVALUATIONS = 40
_LEAST_COST = 1e-3  # us: a layer that int8 does not make faster is returned first


class Judged(Protocol):
    """What a judge says of a network."""

    @property
    def margin(self) -> float:
        """How far above the floor; the floor holds from 0 on."""


J = TypeVar("J", bound=Judged)


@dataclass(frozen=True)
class Found(Generic[J]):
    """What a search ended at.

    Attributes:
        plan: that holds the floor, or comes nearest.
        judgement: of its network.
        evaluations: networks that were judged.
        returned: layers that went back to fp16, those to blame first.
    """

    plan: PrecisionPlan
    judgement: J
    evaluations: int
    returned: tuple[str, ...] = ()


def blame(
    alone: Mapping[str, float], saved_us: Callable[[str], float] = lambda _: 1.0
) -> list[str]:
    """Layers by how much accuracy is won for the time that is lost, the best trade first.

    Args:
        alone: PSNR with the layer alone in int8, dB. Noise powers of layers add up, so they are
            what is weighed: 10^(-dB / 10).
        saved_us: what int8 saves in a layer.
    """

    def trade(name: str) -> float:
        return _noise(alone[name]) / max(saved_us(name), _LEAST_COST)

    return sorted(alone, key=lambda name: (-trade(name), name))


def search(
    plan: PrecisionPlan,
    layers: Layers,
    order: Sequence[str],
    judge: Callable[[PrecisionPlan], J],
    saved_us: Callable[[str], float] = lambda _: 1.0,
    most: int = MOST_EVALUATIONS,
) -> Found[J]:
    """Return layers to fp16 in an order until the floor holds, then take back what was needless.

    How many of the order it takes is found by bisection: eight evaluations decide between
    256 layers. Then each returned layer, the most expensive first, is put back into int8 if the
    floor holds without it. The same input gives the same plan.

    Args:
        plan: to begin with: all that can be int8.
        layers: of the network.
        order: the plan's int8 layers, those to blame first; see `blame`.
        judge: executes and judges the network of a plan.
        saved_us: what int8 saves in a layer.
        most: how many plans are judged at most.
    """
    start = set(plan.int8())
    tried: dict[tuple[str, ...], tuple[PrecisionPlan, J]] = {}

    def attempt(returned: Collection[str]) -> tuple[PrecisionPlan, J]:
        candidate = plan.with_int8(layers.settled(start - set(returned)))
        key = tuple(candidate.int8())
        if key not in tried:
            tried[key] = candidate, judge(candidate)
        return tried[key]

    best = attempt(())
    if best[1].margin >= 0:
        return Found(*best, len(tried))
    best = attempt(order)
    if best[1].margin < 0:  # float32 itself misses it
        return Found(*best, len(tried), tuple(order))
    fails, holds = 0, len(order)
    while holds - fails > 1:
        middle = (fails + holds) // 2
        found = attempt(order[:middle])
        if found[1].margin >= 0:
            holds, best = middle, found
        else:
            fails = middle
    returned = list(order[:holds])
    for name in sorted(returned, key=lambda name: (-saved_us(name), name)):
        if len(tried) >= most:
            break
        rest = [other for other in returned if other != name]
        found = attempt(rest)
        if found[1].margin >= 0:
            returned, best = rest, found
    int8 = set(best[0].int8())
    return Found(*best, len(tried), tuple(name for name in order if name not in int8))


def _noise(decibels: float) -> float:
    if decibels == math.inf:
        return 0.0
    return math.inf if decibels == -math.inf else 10.0 ** (-decibels / 10.0)
