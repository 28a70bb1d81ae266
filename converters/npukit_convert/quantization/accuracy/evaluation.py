"""The frames that a quantised network is judged on: never silently those it was calibrated on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from npukit.arrays import F32
from npukit.errors import ConfigError, NpukitError, did_you_mean
from npukit.frame import Nv21Frame
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import CalibrationError
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import Feeder
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.tasks import TASKS, Case, Task
from npukit_convert.quantization.calibration.calibration_set import NOISE, CalibrationSet
from npukit_convert.quantization.calibration.distinct import spread
from npukit_convert.quantization.calibration.samples import Sample, Samples
from npukit_convert.quantization.calibration.states import States, settled

_SETTLING = 8  # frames that follow one another, where a network hands a state from one to the next
_SEED = 10_000  # of noise: not that of the calibration


@dataclass(frozen=True)
class Evaluation:
    """Frames to judge on.

    Attributes:
        cases: in order.
        inputs, states: of the network.
        task: measures the results.
        text: what they are, for people.
        path: that was read; None for noise.
        shared: how many cases are frames of the calibration set.
        sizes: (width, height) of the frames as they were read; empty where there were none.
    """

    cases: Sequence[Case]
    inputs: Mapping[str, InputSpec]
    states: Mapping[str, str]
    task: Task
    text: str
    path: Path | None = None
    shared: int = 0
    sizes: Sequence[tuple[int, int]] = ()


def evaluate(
    accuracy: Accuracy,
    calibration: CalibrationSet | None,
    inputs: Mapping[str, InputSpec],
    states: Mapping[str, str],
    network: bytes,
    other: Path | None = None,
) -> Evaluation:
    """Read the frames that an accuracy.yaml names.

    Where it names none they come from `other` (the frames of `verify:`), else from the calibration
    data itself, as far as possible other frames than those that were calibrated on. Noise is
    judged on noise.

    Args:
        accuracy: names frames and task.
        calibration: what ranges come from; None where nothing is calibrated.
        inputs, states: of the network.
        network: float32 ONNX.
        other: frames to fall back on.

    Raises:
        ConfigError: the task does not fit the network.
        CalibrationError: no frame, or frames that do not fit the network or the task.
        CaptureError: they cannot be read.
    """
    task = _task(accuracy, inputs, network)
    calibrated = None if calibration is None else calibration.path
    path = accuracy.frames or other or calibrated
    if path is None:
        return Evaluation(_noise(inputs, accuracy.samples), inputs, states, task, NOISE)
    samples = Samples(path, inputs, states, accuracy.where)
    avoided = set[int]()
    if calibration is not None and calibrated is not None:
        avoided = set(calibration.indices if path.resolve() == calibrated.resolve() else ())
    total = sum(1 for _ in samples)
    if not total:
        raise CalibrationError(f"{path} holds no frame", where=accuracy.where)
    run = _SETTLING if states else task.consecutive if samples.moving else 1
    run = min(run, accuracy.samples, total)
    starts = _starts(total, run, accuracy.samples, avoided)
    wanted = {start + step for start in starts for step in range(run)}
    exact = _exact(accuracy, wanted) if task.needs_truth else {}
    cases, sizes = list[Case](), list[tuple[int, int]]()
    engine = partial(OnnxRuntime, network, accuracy.where)
    for sample, given in settled(samples, wanted, States(inputs, states), engine):
        feeds, truth = _prepared(task, samples, sample, exact)
        follows = sample.place not in starts
        cases.append(Case(_name(sample), {**feeds, **given}, truth, follows))
        if sample.frame is not None:
            sizes.append(sample.frame.size)
    text = f"{len(cases)} of {total} frames of {path.name}"
    shared = len(wanted & avoided)
    return Evaluation(cases, inputs, states, task, text, path, shared, sizes)


def run(network: bytes, evaluation: Evaluation) -> Iterator[tuple[Case, dict[str, F32]]]:
    """A network's outputs on each case, its own states handed on within a run of frames."""
    states = States(evaluation.inputs, evaluation.states)
    with OnnxRuntime(network) as executor:
        for case in evaluation.cases:
            given = {**case.feeds, **states.now} if case.follows else case.feeds
            outputs = executor.run(given)
            states.take(outputs)
            yield case, outputs


def _task(accuracy: Accuracy, inputs: Mapping[str, InputSpec], network: bytes) -> Task:
    with OnnxRuntime(network) as executor:
        zeros = Feeder({name: InputSpec(spec.shape) for name, spec in inputs.items()}).noise(0.0, 0)
        shapes = {name: value.shape for name, value in executor.run(zeros).items()}
    output = accuracy.output or next(iter(shapes))
    if output not in shapes:
        raise ConfigError(
            f"the network has no output {output!r}",
            where=f"{accuracy.where}.output",
            hint=did_you_mean(output, shapes),
        )
    return TASKS.get(accuracy.task)(output, inputs, shapes, f"{accuracy.where}.task")


def _starts(total: int, run: int, wanted: int, avoided: Collection[int]) -> list[int]:
    """Where runs of frames begin: apart from each other, away from the avoided frames."""
    places = range(0, total - run + 1, run)  # one at least: a run is no longer than all
    clear = [at for at in places if not any(at + step in avoided for step in range(run))]
    usable = clear or list(places)
    return [usable[place] for place in spread(len(usable), max(1, wanted // run))]


def _prepared(
    task: Task, samples: Samples, sample: Sample, exact: Mapping[int, Nv21Frame]
) -> tuple[dict[str, F32], F32 | None]:
    try:
        return task.prepare(samples.feeds(sample), sample.frame, exact.get(sample.place))
    except NpukitError as error:
        error.where = error.where or f"{samples.path}, {_name(sample)}"
        raise


def _name(sample: Sample) -> str:
    return f"frame {sample.place}"


def _exact(accuracy: Accuracy, wanted: Collection[int]) -> dict[int, Nv21Frame]:
    if accuracy.truth is None:
        raise ConfigError(
            f"the task {accuracy.task!r} needs the exact result",
            where=f"{accuracy.where}.truth",
            hint="name the clip of it, or use the task `generic`",
        )
    found: dict[int, Nv21Frame] = {}
    for sample in Samples(accuracy.truth, {}, {}, f"{accuracy.where}.truth"):
        if sample.place in wanted:
            frame = sample.owned().frame
            if frame is not None:
                found[sample.place] = frame
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise CalibrationError(
            f"no exact result for frame {missing[0]}: the file ends before",
            where=str(accuracy.truth),
        )
    return found


def _noise(inputs: Mapping[str, InputSpec], count: int) -> list[Case]:
    feeder = Feeder(inputs)
    return [Case(f"noise {seed}", feeder.noise(1.0, _SEED + seed)) for seed in range(count)]
