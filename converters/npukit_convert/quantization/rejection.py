"""Why a quantised network is not accepted, and what to try next, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from npukit_convert.errors import Rejected
from npukit_convert.quantization.quantize import Quantization
from npukit_convert.quantization.results import FloorResult
from npukit_convert.quantization.settings import FP16, MIXED

if TYPE_CHECKING:
    from npukit_convert.conversion import Conversion

_NAMED = 3
WILL_NOT_PAY = "will-not-pay"


def rejection(made: Conversion, where: str) -> Rejected:
    """The error of a conversion whose network misses a floor."""
    done = made.quantization
    assert done is not None  # noqa: S101 - there is something to reject
    missed = told(one for one in done.result.floors if not one.held)
    whose = " (the default: no accuracy.yaml names one)" if done.result.default_floor else ""
    if not done.plan.int8():
        return Rejected(
            f"the floor{whose} is missed with no layer in int8: {missed}",
            made=made,
            where=where,
            hint="the float32 network itself misses it: no precision helps. Correct the floor, "
            "or the frames and the truth that it is measured on",
        )
    blamed = ", ".join(_blamed(done))
    return Rejected(
        f"{done.result.preset} misses the floor{whose}: {missed}; most is lost in {blamed}",
        made=made,
        where=where,
        hint=_next(done),
    )


def rejection_of_fp16(made: Conversion, missed: Iterable[FloorResult], where: str) -> Rejected:
    """The error of a conversion that misses a floor in fp16."""
    return Rejected(
        f"fp16 misses the floor: {told(missed)}",
        made=made,
        where=where,
        hint="a number beyond 65504, or a difference of large numbers, is lost in fp16: train with "
        "smaller activations, or correct the floor. `npukit convert` without `accuracy` shows what "
        "each pass adds in fp16",
    )


def told(floors: Iterable[FloorResult]) -> str:
    """Floors and what was measured, in a line."""
    return "; ".join(
        f"{one.metric} is {one.measured:.4g}, the floor {one.limit:.4g}" for one in floors
    )


def _blamed(done: Quantization) -> list[str]:
    alone = {one.name: one.alone_db for one in done.result.layers}
    return [f"{name} (alone {alone[name]:.1f} dB)" for name in done.blamed[:_NAMED]]


def _next(done: Quantization) -> str:
    if done.result.preset == MIXED:  # a plan that was replayed: a search ends at the floor
        return f"search again, without quantization.plan, or try --precision {FP16}"
    mixed = f"try --precision {MIXED}: it returns such layers to fp16"
    if any(one.code == WILL_NOT_PAY for one in done.result.findings):
        return f"{mixed}; or --precision {FP16}, as this network hardly gains from int8"
    return mixed
