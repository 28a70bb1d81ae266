"""A quantised network on real frames: against float32, and of both against the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from npukit.arrays import F32, U8
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.figures import inner
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy, is_least, slack
from npukit_convert.quantization.accuracy.evaluation import Evaluation, run
from npukit_convert.quantization.accuracy.tasks.base import Case
from npukit_convert.quantization.results import FloorResult, OutputQuality, TaskMeasure, WorstFrame

_WORST = 3
_SILENT = 0.01  # of the largest number of an output: cases below have no angle worth naming


@dataclass(frozen=True)
class Judgement:
    """What a quantised network is worth; see the types in `results`.

    Attributes:
        margin: the least slack of a floor (`accuracy.slack`); 0 or above where all hold.
        worst: frames that came out worst, the worst first, of different places in the clip.
    """

    outputs: Mapping[str, OutputQuality]
    task: Mapping[str, TaskMeasure]
    floors: tuple[FloorResult, ...]
    worst: tuple[WorstFrame, ...]
    margin: float

    @property
    def missed(self) -> tuple[FloorResult, ...]:
        """The floors that do not hold."""
        return tuple(floor for floor in self.floors if not floor.held)


class Judge:
    """Holds the frames and what float32 makes of them; judges one candidate after another."""

    def __init__(self, network: bytes, accuracy: Accuracy, evaluation: Evaluation) -> None:
        """Run float32 once.

        Args:
            network: float32 ONNX.
            accuracy: what is asked for.
            evaluation: frames.

        Raises:
            CalibrationError: there is no case, or float32 itself gives NaN or infinity.
            ExecutionError: the engine fails.
        """
        self._accuracy, self._evaluation = accuracy, evaluation
        meter = evaluation.task.meter()
        self._wanted: list[dict[str, F32]] = []
        for case, outputs in run(network, evaluation):
            for name, value in outputs.items():
                if not np.isfinite(value).all():
                    raise CalibrationError(
                        f"float32 gives NaN or infinity in {name!r} on {case.name}",
                        where=accuracy.where,
                        hint="a network that fails in float32 cannot be quantised",
                    )
            meter.add(case, outputs)
            self._wanted.append(outputs)
        if not self._wanted:
            raise CalibrationError("there is nothing to judge on", where=accuracy.where)
        self._task = meter.result()
        self._spans = {name: _span(name, self._wanted) for name in self._wanted[0]}

    def judge(self, candidate: bytes) -> Judgement:
        """Measure a network with the same inputs and outputs.

        A candidate that gives NaN or infinity misses every floor of the output.
        """
        meter = self._evaluation.task.meter()
        tallies = {name: _Tally(span) for name, span in self._spans.items()}
        worst: list[tuple[float, int, WorstFrame]] = []
        place = 0
        for (case, found), wanted in zip(
            run(candidate, self._evaluation), self._wanted, strict=True
        ):
            place += not case.follows
            meter.add(case, found)
            psnr = {name: tallies[name].add(wanted[name], found[name]) for name in wanted}
            name = min(psnr, key=lambda one: psnr[one])
            shown = WorstFrame(
                case.name, name, psnr[name], None, *_shown(wanted[name], found[name])
            )
            worst = _keep(worst, (psnr[name], place, shown), case, self._evaluation.inputs)
        outputs = {name: tally.quality() for name, tally in tallies.items()}
        task = self._measures(meter.result())
        floors = self._floors(outputs, task)
        return Judgement(
            outputs,
            task,
            floors,
            tuple(one for _, _, one in worst),
            min((slack(one.metric, one.limit, one.measured) for one in floors), default=math.inf),
        )

    def _measures(self, found: Mapping[str, float]) -> dict[str, TaskMeasure]:
        return {
            name: TaskMeasure(self._task[name], found[name], *measure)
            for name, measure in self._evaluation.task.measures.items()
        }

    def _floors(
        self, outputs: Mapping[str, OutputQuality], task: Mapping[str, TaskMeasure]
    ) -> tuple[FloorResult, ...]:
        results = []
        for metric, limit in self._accuracy.floors.items():
            measured = _measured(metric, outputs, task)
            least = is_least(metric, self._evaluation.task.measures)
            held = measured >= limit if least else measured <= limit  # NaN holds nothing
            results.append(FloorResult(metric, limit, measured, held))
        return tuple(results)


def _measured(
    metric: str, outputs: Mapping[str, OutputQuality], task: Mapping[str, TaskMeasure]
) -> float:
    if metric in task:
        return task[metric].quantised
    if metric == "max_abs":
        return max(one.max_abs for one in outputs.values())
    if metric in ("psnr_db", "snr_db", "cosine"):
        return min(float(getattr(one, metric)) for one in outputs.values())
    one = task[metric.removesuffix("_loss")]
    return one.fp32 - one.quantised if one.higher_is_better else one.quantised - one.fp32


class _Tally:
    """Adds up the figures of one output."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._error = self._signal = 0.0
        self._count = 0
        self._max_abs, self._cosines = 0.0, [(0.0, 1.0)]

    def add(self, wanted: F32, found: F32) -> float:
        """Take a case; its PSNR."""
        one, other = (np.ravel(value).astype(np.float64) for value in (wanted, found))
        if not np.isfinite(other).all():
            self._error = self._max_abs = math.inf
            self._cosines.append((math.inf, -1.0))
            return -math.inf
        apart = other - one
        error, signal = inner(apart, apart), inner(one, one)
        self._error += error
        self._signal += signal
        self._count += one.size
        self._max_abs = max(self._max_abs, float(np.abs(apart).max()))
        length = math.sqrt(signal * inner(other, other))
        cosine = inner(one, other) / length if length else float(error == 0.0)
        peak = float(max(np.abs(one).max(), np.abs(other).max()))
        self._cosines.append((peak, min(cosine, 1.0)))
        return _decibels(self._span**2, error / one.size)

    def quality(self) -> OutputQuality:
        """All cases together."""
        loud = _SILENT * max(peak for peak, _ in self._cosines)
        return OutputQuality(
            psnr_db=_decibels(self._span**2, self._error / max(1, self._count)),
            snr_db=_decibels(self._signal, self._error),
            cosine=min(cosine for peak, cosine in self._cosines if peak >= loud),
            max_abs=self._max_abs,
        )


def _span(name: str, results: list[dict[str, F32]]) -> float:
    """Max - min of an output over all cases; of a constant one its magnitude, or 1."""
    low = min(float(one[name].min()) for one in results)
    high = max(float(one[name].max()) for one in results)
    return high - low or abs(high) or 1.0


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal and math.isfinite(noise) else -math.inf


def _keep(
    worst: list[tuple[float, int, WorstFrame]],
    new: tuple[float, int, WorstFrame],
    case: Case,
    inputs: Mapping[str, InputSpec],
) -> list[tuple[float, int, WorstFrame]]:
    """The worst frames, one of each place; with a picture once a frame is among them."""
    rivals = [one for one in worst if one[1] == new[1]]
    if rivals and rivals[0][0] <= new[0]:
        return worst
    rest = [one for one in worst if one[1] != new[1]]
    if len(rest) == _WORST and rest[-1][0] <= new[0]:
        return worst
    psnr, place, frame = new
    pictured = (psnr, place, replace(frame, picture=_picture(case, inputs)))
    return sorted([*rest, pictured], key=lambda one: one[:2])[:_WORST]


def _picture(case: Case, inputs: Mapping[str, InputSpec]) -> U8 | None:
    """What the network saw, RGB (H, W, 3)."""
    for name, spec in inputs.items():
        if spec.preprocess is None:
            continue
        mean, scale = (
            np.array(values, np.float32).reshape(-1, 1, 1)
            for values in (spec.preprocess.mean, spec.preprocess.scale)
        )
        planes = np.clip(np.rint(case.feeds[name][0] / scale + mean), 0, 255).astype(np.uint8)
        rgb = (
            planes[::-1]
            if spec.preprocess.to == "bgr"
            else np.broadcast_to(planes, (3, *planes.shape[1:]))
        )
        return np.ascontiguousarray(np.moveaxis(rgb, 0, -1))
    return None


def _shown(wanted: F32, found: F32) -> tuple[F32, F32]:
    """As pictures: (3, H, W), or the (H, W) in which they differ most; a vector is one row."""
    shape = wanted.shape[1:] if wanted.ndim > 1 and wanted.shape[0] == 1 else wanted.shape
    one, other = wanted.reshape(shape), found.reshape(shape)
    if one.ndim < 2:
        return one.reshape(1, -1), other.reshape(1, -1)
    if one.ndim == 3 and shape[0] == 3:
        return one, other
    planes = one.reshape(-1, *shape[-2:]), other.reshape(-1, *shape[-2:])
    most = int(np.argmax(np.abs(planes[0] - planes[1]).sum(axis=(1, 2))))
    return planes[0][most], planes[1][most]
