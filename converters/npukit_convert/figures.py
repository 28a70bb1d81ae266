"""How far a tensor is from another: the figures of a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from npukit.arrays import F32, F64


@dataclass(frozen=True)
class Figures:
    """Of a tensor against a reference of the same shape.

    A value that is not finite, in either, makes all figures NaN: never is it equal to anything.

    Attributes:
        max_abs, mean_abs: of the difference, in the tensors' own unit.
        cosine: of the angle between both, -1 to 1; 1 where both are zero, 0 where one is. It is
            not centred: two constants of one sign have 1.
        snr_db: `10 log10(sum(reference^2) / sum(difference^2))`; inf where both are equal, -inf
            where the reference alone is zero.
        peak: the largest magnitude in either.
        not_finite: how many places hold NaN or an infinity in either.
    """

    max_abs: float
    mean_abs: float
    cosine: float
    snr_db: float
    peak: float
    not_finite: int = 0

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain data for JSON; None where a figure is not finite."""
        return {
            name: value if isinstance(value, int) or math.isfinite(value) else None
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Spread:
    """How far the numbers of outputs are from a reference's, all of them together.

    Attributes:
        mean, p99_9, max_abs: of the distances, in the outputs' own unit.
        above: the share, 0..1, of distances above `NOTABLE`.
    """

    mean: float
    p99_9: float
    max_abs: float
    above: float


NOTABLE = 1e-3  # about the step of float16 below 1


@dataclass(frozen=True)
class Thresholds:
    """How far two executions may be apart.

    Attributes:
        max_abs: the largest difference of an output. Of a layer it is taken times the layer's
            peak, if that is above 1: a float of 100 is no more exact than 1e-5.
        cosine: the least one; not asked of a tensor whose peak is within `max_abs`: an alpha that
            is 0 in one execution and 1e-8 in the other is no failure.
    """

    max_abs: float = 1e-4
    cosine: float = 0.9999

    def past(self, figures: Figures, layer: bool = False) -> bool:
        """Whether the figures are past a threshold; NaN is."""
        allowed = self.max_abs * (max(1.0, figures.peak) if layer else 1.0)
        silent = figures.peak <= self.max_abs
        return not (figures.max_abs <= allowed and (silent or figures.cosine >= self.cosine))

    def worst(self, several: Iterable[Figures]) -> Figures:
        """The worst of each figure, of cosine and SNR where they are asked for."""
        rows = list(several)
        if any(row.not_finite for row in rows):
            return _not_finite(sum(row.not_finite for row in rows))
        heard = [row for row in rows if row.peak > self.max_abs]
        return Figures(
            max_abs=max(row.max_abs for row in rows),
            mean_abs=max(row.mean_abs for row in rows),
            cosine=min((row.cosine for row in heard), default=1.0),
            snr_db=min((row.snr_db for row in heard), default=math.inf),
            peak=max(row.peak for row in rows),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def difference(reference: F32, found: F32) -> Figures:
    """Measure; in float64.

    Args:
        reference, found: of equal shape but for axes of length 1.
    """
    one = np.ravel(reference).astype(np.float64)
    other = np.ravel(found).astype(np.float64)
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.all():
        return _not_finite(int(finite.size - np.count_nonzero(finite)))
    if not one.size:
        return Figures(0.0, 0.0, 1.0, math.inf, 0.0)
    apart = np.abs(one - other)
    return Figures(
        max_abs=float(apart.max()),
        mean_abs=float(apart.mean()),
        cosine=_cosine(one, other),
        snr_db=_decibels(inner(one, one), inner(apart, apart)),
        peak=float(max(np.abs(one).max(), np.abs(other).max())),
    )


def spread(distances: F32) -> Spread:
    """Of absolute differences, of any shape."""
    return Spread(
        float(distances.mean()),
        float(np.percentile(distances, 99.9)),
        float(distances.max()),
        float((distances > NOTABLE).mean()),
    )


def inner(one: F64, other: F64) -> float:
    """Inner product of two vectors; not by BLAS, whose threads and an engine's are in the way."""
    return float(np.einsum("i,i->", one, other))


def _not_finite(places: int) -> Figures:
    nan = math.nan
    return Figures(nan, nan, nan, nan, nan, places)


def _cosine(one: Any, other: Any) -> float:
    # The largest magnitude is divided out: squares of tiny float64 numbers vanish.
    tops = np.abs(one).max(), np.abs(other).max()
    if not all(tops):
        return 0.0 if any(tops) else 1.0
    one, other = one / tops[0], other / tops[1]
    cosine = inner(one, other) / math.sqrt(inner(one, one) * inner(other, other))
    return min(1.0, max(-1.0, cosine))


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal else -math.inf
