"""Super-resolution: a picture that was made small, against what it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from npukit.arrays import F32
from npukit.errors import ConfigError
from npukit.frame import Nv21Frame, Rect
from npukit.preprocess import fit
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.accuracy.tasks.base import Case, Measure, Meter, Task
from npukit_convert.quantization.calibration.samples import limits


class SuperResolution(Task):
    """PSNR against the full picture.

    The frame is fitted to the size of the output and is the truth; shrunk by areas to that of
    the input it is what the network sees. Both have the input's mean and scale, so the network's
    output must have them too. The PSNR is the mean over the cases of
    `10 log10(range^2 / mse)` over all pixels and channels, clipped to the range of a picture.
    """

    summary = "an enlarged picture against the full one, of which the input was made"
    measures: ClassVar[Mapping[str, Measure]] = {"psnr": Measure("dB", higher_is_better=True)}

    def __init__(
        self,
        output: str,
        inputs: Mapping[str, InputSpec],
        shapes: Mapping[str, tuple[int, ...]],
        where: str,
    ) -> None:
        """See `Task`."""
        super().__init__(output, inputs, shapes, where)
        pictures = [name for name, spec in inputs.items() if spec.preprocess is not None]
        if len(pictures) != 1:
            raise ConfigError("super-resolution needs one input with a `preprocess:`", where=where)
        self._picture = pictures[0]
        small, large = inputs[self._picture].shape, self.shape
        factors = {out / into for into, out in zip(small[2:], large[2:], strict=False)}
        if len(large) != 4 or large[:2] != small[:2] or len(factors) != 1 or min(factors) < 1:
            raise ConfigError(
                f"output {output!r} is {list(large)}, no enlarged {list(small)}", where=where
            )
        if any(side % 2 for side in (*small[2:], *large[2:])):
            raise ConfigError("super-resolution is judged at even sizes", where=where)

    def prepare(
        self, feeds: dict[str, F32], frame: Nv21Frame | None, exact: Nv21Frame | None
    ) -> tuple[dict[str, F32], F32 | None]:
        """See `Task.prepare`; the truth is of the output's shape."""
        if frame is None:
            raise CalibrationError("super-resolution is judged on pictures, not on arrays")
        spec = self.inputs[self._picture]
        assert spec.preprocess is not None  # noqa: S101 - that is how it was found
        height, width = self.shape[2:]
        whole = Rect(0, 0, *frame.size) if spec.preprocess.geometry == "roi" else None
        full = fit(replace(spec.preprocess, resize="area"), frame, (width, height), whole)
        small = full.resize(spec.shape[3], spec.shape[2], "area")
        truth = Feeder({self.output: spec._replace(shape=self.shape)}).frame(full)
        made = Feeder({self._picture: spec}).frame(small)
        return {**feeds, **made}, truth[self.output]

    def meter(self) -> Meter:
        """See `Task.meter`."""
        return _Psnr(self.output, *limits(self.inputs[self._picture]))


class _Psnr(Meter):
    def __init__(self, output: str, low: F32, high: F32) -> None:
        self._output = output
        self._low, self._high = low.reshape(1, -1, 1, 1), high.reshape(1, -1, 1, 1)
        self._values: list[float] = []

    def add(self, case: Case, outputs: Mapping[str, F32]) -> None:
        assert case.truth is not None  # noqa: S101 - the task prepared the case
        found = np.clip(outputs[self._output], self._low, self._high)
        gap = (found - case.truth) / (self._high - self._low)
        mse = float(np.mean(np.square(gap), dtype=np.float64))
        self._values.append(-10.0 * math.log10(mse) if mse else math.inf)

    def result(self) -> dict[str, float]:
        return {"psnr": float(np.mean(self._values)) if self._values else math.nan}
