"""A float network to a quantised one that was measured: calibrate, search, judge, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from npukit.arrays import F32
from npukit.runtime.declaration import InputSpec
from npukit_convert.graph import read_graph
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy, read_accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation, evaluate
from npukit_convert.quantization.accuracy.judge import Judge, Judgement
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet, read_calibration
from npukit_convert.quantization.findings.find import find
from npukit_convert.quantization.findings.payoff import payoff
from npukit_convert.quantization.measured.board_time import BoardTime, board_times
from npukit_convert.quantization.measured.layer_table import layer_table
from npukit_convert.quantization.measured.layers import layer_figures
from npukit_convert.quantization.measured.speed import measure_speed
from npukit_convert.quantization.plans.kernels import Layers, find_layers
from npukit_convert.quantization.plans.mixed import Found, blame, search
from npukit_convert.quantization.plans.plan import PrecisionPlan, make_plan, read_plan
from npukit_convert.quantization.plans.qdq import quantise
from npukit_convert.quantization.plans.ranges import Ranges, ranges
from npukit_convert.quantization.plans.sensitivity import sensitivity
from npukit_convert.quantization.results import QuantizationResult
from npukit_convert.quantization.settings import (
    MIXED,
    CalibrationConfig,
    QuantizationConfig,
)

Tell = Callable[[str], None]

_RANKED_ON = 2  # cases: layers are ranked on them, the plan is judged on all
_LAYERS_ON = 1  # frames that layers are compared on
_TIMED_ON = 8
_THREADS = 1  # of the simulated board


@dataclass(frozen=True)
class Task:
    """What is to be quantised, and how.

    Attributes:
        network: float32 ONNX; names of nodes as `qdq.prepare` makes them.
        inputs, states: of the network.
        preset: `int8` or `int8_mixed`.
        calibration, settings: keys of convert.yaml.
        accuracy: the file that floors come from.
        frames: further frames to judge on, those of `verify:`.
        target: a chip, for estimates; None for all.
        folder: that files of the config are beside.
        where: the config, for messages.
    """

    network: bytes
    inputs: Mapping[str, InputSpec]
    states: Mapping[str, str]
    preset: str
    calibration: CalibrationConfig
    settings: QuantizationConfig
    accuracy: Path | None
    frames: Path | None
    target: str | None
    folder: Path
    where: str


@dataclass(frozen=True)
class Quantization:
    """What came of it.

    Attributes:
        onnx: the network in int8, for ONNX Runtime.
        plan: what each layer is computed in.
        kept: node name to why it stays in float in any case.
        result: all that was measured.
        feeds: the calibration set, for a vendor's compiler.
        blamed: layers that cost most accuracy, the worst first.
    """

    onnx: bytes
    plan: PrecisionPlan
    kept: Mapping[str, str]
    result: QuantizationResult
    feeds: Sequence[Mapping[str, F32]]
    blamed: tuple[str, ...]

    def mark(self) -> dict[str, Any]:
        """What a build says of itself, wherever it is copied to."""
        return {
            "preset": self.result.preset,
            "layers_int8": len(self.plan.int8()),
            "layers_fp16": len(self.plan.fp16()),
            "calibration_sha256": self.result.calibration.sha256,
            "random_calibration": self.result.calibration.random,
            "accepted": self.result.accepted,
        }


def quantize_network(task: Task, tell: Tell = lambda _: None) -> Quantization:
    """Calibrate, quantise, judge; for `int8_mixed` search until the floor holds.

    A network that misses the floor comes back all the same: `result.accepted` says it.

    Args:
        task: what and how.
        tell: is given a line for a person now and then.

    Raises:
        ConfigError: a plan or an accuracy.yaml that does not fit the network.
        ConversionError: the network is quantised already, or cannot be.
        CalibrationError: frames that cannot be calibrated or judged on.
        CaptureError: frames that cannot be read.
    """
    return _Run(task, tell).all()


class _Run:
    """One quantisation, and what its parts share."""

    def __init__(self, task: Task, tell: Tell) -> None:
        self._task, self._tell = task, tell
        self._network = task.network
        model = read_graph(self._network, task.where, raised=False)
        self._layers: Layers = find_layers(model, task.where)
        self._payoff = payoff(self._network, self._layers)
        tell(self._payoff.text)  # before anything is executed
        self._boards: list[BoardTime] = board_times(model, task.inputs, task.target)

    def all(self) -> Quantization:
        """See `quantize_network`."""
        task = self._task
        plan = self._first_plan()
        accuracy = read_accuracy(task.accuracy)
        calibration = read_calibration(
            task.calibration, task.folder, task.inputs, task.states, self._network, task.where
        )
        self._tell(
            f"calibration: {calibration.summary.kept} frames of {calibration.summary.source}"
        )
        evaluation = evaluate(
            accuracy, calibration, task.inputs, task.states, self._network, task.frames
        )
        judge = Judge(self._network, accuracy, evaluation)
        taken = ranges(self._network, calibration.feeds, plan.settings())
        alone: dict[str, float] = {}
        if task.preset == MIXED and task.settings.plan is None:
            alone = self._alone(plan, taken, evaluation)
            found = self._search(plan, taken, judge, alone)
        else:
            realised = self._realise(taken, plan)
            found = Found(plan, judge.judge(realised), 1)
            if found.judgement.missed:
                alone = self._alone(found.plan, taken, evaluation)
        onnx = self._realise(taken, found.plan)
        result = self._result(found, onnx, calibration, evaluation, accuracy, taken, alone)
        return Quantization(
            onnx, found.plan, self._layers.kept, result, calibration.feeds, tuple(blame(alone))
        )

    def _first_plan(self) -> PrecisionPlan:
        task = self._task
        if task.settings.plan is None:
            return make_plan(
                task.preset, self._layers, task.settings, f"{task.where}, quantization.keep"
            )
        path = task.folder / task.settings.plan
        plan = read_plan(path)
        plan.check(self._layers, str(path))
        return plan

    def _realise(self, taken: Ranges, plan: PrecisionPlan) -> bytes:
        return quantise(self._network, taken, plan, self._layers).onnx

    def _alone(
        self, plan: PrecisionPlan, taken: Ranges, evaluation: Evaluation
    ) -> dict[str, float]:
        """How far each layer alone spoils the outputs, on the first frames of some places."""
        few = [case for case in evaluation.cases if not case.follows][:_RANKED_ON]
        judge = Judge(self._network, Accuracy(), replace(evaluation, cases=few))

        def worst(plan: PrecisionPlan) -> float:
            judged = judge.judge(self._realise(taken, plan))
            return min(one.psnr_db for one in judged.outputs.values())

        self._tell(f"sensitivity: {len(plan.int8())} layers, each alone in int8")
        return sensitivity(plan, worst)

    def _search(
        self, plan: PrecisionPlan, taken: Ranges, judge: Judge, alone: Mapping[str, float]
    ) -> Found[Judgement]:
        saved = self._boards[0].saved_us if self._boards else lambda _: 1.0
        found = search(
            plan,
            self._layers,
            blame(alone, saved),
            lambda candidate: judge.judge(self._realise(taken, candidate)),
            saved,
        )
        self._tell(
            f"search: {found.evaluations} plans judged, {len(found.plan.int8())} layers in int8, "
            f"{len(found.returned)} back to fp16"
        )
        return found

    def _result(
        self,
        found: Found[Judgement],
        onnx: bytes,
        calibration: CalibrationSet,
        evaluation: Evaluation,
        accuracy: Accuracy,
        taken: Ranges,
        alone: Mapping[str, float],
    ) -> QuantizationResult:
        plan, judged = found.plan, found.judgement

        def again(other: CalibrationSet) -> bytes:
            return self._realise(ranges(self._network, other.feeds, plan.settings()), plan)

        feeds = calibration.feeds
        findings = find(calibration, evaluation, self._network, again, taken.constants())
        return QuantizationResult(
            preset=self._task.preset,
            calibration=calibration.summary,
            evaluation=evaluation.text,
            findings=(*self._payoff.findings(), *findings),
            outputs=judged.outputs,
            task=judged.task,
            floors=judged.floors,
            default_floor=accuracy.default,
            layers=layer_table(
                self._layers,
                plan,
                self._task.settings.keep,
                layer_figures(self._network, onnx, feeds[:_LAYERS_ON]),
                alone,
                self._boards[0] if self._boards else None,
            ),
            worst=judged.worst,
            fp32_bytes=len(self._network),
            quantised_bytes=len(onnx),
            speed=measure_speed(self._network, onnx, feeds[:_TIMED_ON], _THREADS),
            board_ms={one.board: (one.total_ms, one.plan_ms(plan)) for one in self._boards},
            evaluations=found.evaluations,
        )
