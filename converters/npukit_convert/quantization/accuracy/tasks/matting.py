"""Matting: an alpha against the exact one, by the measures of the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np

from npukit.arrays import F32
from npukit.color import Color, Range
from npukit.errors import ConfigError
from npukit.frame import Nv21Frame, Rect
from npukit.preprocess import Preprocess, fit
from npukit.quality import QualityMeter
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.quantization.accuracy.tasks.base import Case, Measure, Meter, Task


class Matting(Task):
    """The five measures of `npukit.quality`, at the size of the network's alpha.

    A skill refines the alpha and enlarges it; that is left out here, as it hides what a network
    loses, and as the measures of a small plane take no time. The exact alpha goes through the
    geometry of the picture, by areas: a cell that a person half covers is one half.
    """

    summary = "an alpha against the exact one, a video of its own: MAD, MSE, gradient, ..."
    measures: ClassVar[Mapping[str, Measure]] = {
        "mad": Measure("alpha", higher_is_better=False),
        "mse": Measure("alpha squared", higher_is_better=False),
        "gradient": Measure("sum over pixels", higher_is_better=False),
        "connectivity": Measure("sum over pixels", higher_is_better=False),
        "dtssd": Measure("alpha", higher_is_better=False),
    }
    needs_truth = True
    consecutive = 2

    def __init__(
        self,
        output: str,
        inputs: Mapping[str, InputSpec],
        shapes: Mapping[str, tuple[int, ...]],
        where: str,
    ) -> None:
        """See `Task`."""
        super().__init__(output, inputs, shapes, where)
        height, width = (1, 1, *self.shape)[-2:]
        if int(np.prod(self.shape)) != height * width or min(height, width) < 2:
            raise ConfigError(
                f"output {output!r} is {list(self.shape)}, an alpha is [1, 1, H, W]", where=where
            )
        self._size = width, height
        self._preprocess = _of_picture(inputs, where)

    def prepare(
        self, feeds: dict[str, F32], frame: Nv21Frame | None, exact: Nv21Frame | None
    ) -> tuple[dict[str, F32], F32 | None]:
        """See `Task.prepare`; the truth is (H, W), 0..1."""
        if frame is None or exact is None:
            raise CalibrationError(
                "matting is judged on pictures and their exact alpha, not on arrays",
                hint="give a clip and its alpha as a second one, or the task `generic`",
            )
        if exact.size != frame.size:
            raise CalibrationError(
                f"the exact alpha is {exact.width}x{exact.height}, "
                f"the picture {frame.width}x{frame.height}"
            )
        return feeds, _exact(self._preprocess, exact, self._size)

    def meter(self) -> Meter:
        """See `Task.meter`."""
        return _Alpha(self.output)


class _Alpha(Meter):
    """A `QualityMeter` for each run of frames; the measures are means over all frames."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._runs: list[QualityMeter] = []

    def add(self, case: Case, outputs: Mapping[str, F32]) -> None:
        assert case.truth is not None  # noqa: S101 - the task prepared the case
        if not case.follows or not self._runs:
            self._runs.append(QualityMeter())
        self._runs[-1].add(outputs[self._output].reshape(case.truth.shape), case.truth)

    def result(self) -> dict[str, float]:
        rows = [run.errors() for run in self._runs]
        frames = [run.frames for run in self._runs]
        pairs = [count - 1 for count in frames]
        return {
            name: _mean([getattr(row, name) for row in rows], pairs if name == "dtssd" else frames)
            for name in Matting.measures
        }


def _mean(values: list[float], weights: list[int]) -> float:
    return float(np.average(values, weights=weights)) if sum(weights) else 0.0


def _of_picture(inputs: Mapping[str, InputSpec], where: str) -> Preprocess:
    found = [spec.preprocess for spec in inputs.values() if spec.preprocess is not None]
    if len(found) != 1:
        raise ConfigError("matting needs one input with a `preprocess:`", where=where)
    return found[0]


def _exact(preprocess: Preprocess, exact: Nv21Frame, size: tuple[int, int]) -> F32:
    full = Color(exact.color.matrix, Range.FULL)
    if size[0] % 2 or size[1] % 2:  # NV21 has no odd sizes; such inputs see the whole frame
        plane = cv2.resize(exact.recolor(full).y, size, interpolation=cv2.INTER_AREA)
    else:
        by_area = replace(preprocess, resize="area", color=full)
        whole = Rect(0, 0, *exact.size) if preprocess.geometry == "roi" else None
        plane = fit(by_area, exact, size, whole).y
    alpha: F32 = plane.astype(np.float32) / np.float32(255.0)
    return alpha
