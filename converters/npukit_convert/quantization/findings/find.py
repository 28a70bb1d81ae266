"""What is wrong with calibration data, said with numbers before anyone trusts the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from npukit.arrays import F32
from npukit.runtime.declaration import InputSpec
from npukit_convert.quantization.accuracy.accuracy_file import Accuracy
from npukit_convert.quantization.accuracy.evaluation import Evaluation, run
from npukit_convert.quantization.accuracy.judge import Judge
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet
from npukit_convert.quantization.calibration.distinct import spread
from npukit_convert.quantization.findings.color_order import color_order, levels, swap
from npukit_convert.quantization.findings.frames import alike, few, shapes
from npukit_convert.quantization.findings.probe import Probe, Response
from npukit_convert.quantization.results import Finding

Quantise = Callable[[CalibrationSet], bytes]

_LOOKED_AT = 16  # frames of either kind, spread evenly
_PAST = 0.25  # of the evaluation frames' width: a range that ends so far inside clips
_WIDER = 2.0  # times as wide as needed: one bit of eight is lost
_HALF = 0.5  # of the layers; with good data from another place up to 0.44 were clipped so
_LEVELS = 0.35  # of the levels' width; clips and photographs were within 0.1 of each other
_BETTER = 0.9  # of the measure: a network that does not see colour is about 1
_ENDS = (1.0, 99.0)  # percentiles of the levels


def find(
    calibration: CalibrationSet,
    evaluation: Evaluation,
    network: bytes,
    quantise: Quantise | None = None,
    constants: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Finding, ...]:
    """Look at the calibration data beside the evaluation frames.

    Args:
        calibration: what ranges come from.
        evaluation: what the network is judged on; its inputs are taken to be right.
        network: float32 ONNX.
        quantise: makes the int8 network of a calibration set, to say what a suspected colour
            order costs; not called without a suspicion.
        constants: tensors that were one number everywhere in all calibration frames.

    Returns:
        What a user should know, the gravest first.

    Raises:
        ExecutionError: the engine fails.
    """
    return tuple(_all(calibration, evaluation, network, quantise, constants))


def _all(
    calibration: CalibrationSet,
    evaluation: Evaluation,
    network: bytes,
    quantise: Quantise | None,
    constants: Mapping[str, float],
) -> Iterator[Finding]:
    probe = Probe(network)
    seen = [calibration.feeds[at] for at in spread(len(calibration.feeds), _LOOKED_AT)]
    judged = [evaluation.cases[at].feeds for at in spread(len(evaluation.cases), _LOOKED_AT)]
    expected = [probe(feed) for feed in judged]
    if calibration.summary.random:
        yield Finding(
            "random-data",
            f"ranges come from {calibration.summary.kept} tensors of noise, not from frames",
            "give frames of what the camera will see: calibration.frames",
        )
    else:
        yield from _color(calibration, evaluation, probe, seen, judged, network, quantise)
        yield from _levels(seen, judged, evaluation.inputs)
    yield from _ranges([probe(feed) for feed in seen], expected)
    if not calibration.summary.random:
        yield from few(calibration)
        yield from alike(calibration)
        yield from shapes(calibration, evaluation)
    yield from _declared(network, evaluation)
    yield from _judged_on(calibration, evaluation)
    yield from _constant(expected, constants)


def _color(
    calibration: CalibrationSet,
    evaluation: Evaluation,
    probe: Probe,
    seen: Sequence[Mapping[str, F32]],
    judged: Sequence[Mapping[str, F32]],
    network: bytes,
    quantise: Quantise | None,
) -> Iterator[Finding]:
    found = color_order(probe, seen, judged, evaluation.inputs)
    if found is None or not found.swapped:
        return
    text = (
        f"red and blue seem to be swapped in the calibration frames: {found.opposite:.0%} of "
        f"{found.frames} answer to a swap the opposite way to the evaluation frames (mean cosine "
        f"{found.likeness:.2f}, of the first layer {found.first:.2f}); red is {found.red:.0f} and "
        f"blue {found.blue:.0f} on average, {found.expected[0]:.0f} and {found.expected[1]:.0f} in "
        "the evaluation frames"
    )
    if quantise is not None:
        judge = Judge(network, Accuracy(), evaluation)
        turned = [swap(feed, evaluation.inputs) for feed in calibration.feeds]
        other = replace(calibration, feeds=turned)
        as_is, turned_db = (
            min(one.psnr_db for one in judge.judge(quantise(data)).outputs.values())
            for data in (calibration, other)
        )
        worse = "" if turned_db > as_is else ": here the ranges are no worse for it"
        text += f"; int8 reaches {as_is:.1f} dB as they are, {turned_db:.1f} dB swapped{worse}"
    yield Finding(
        "color-order",
        text,
        "look at them in a viewer: blue faces are swapped (OpenCV holds BGR: cv2.cvtColor before "
        "other libraries write it), a blue scene is right",
    )


def _declared(network: bytes, evaluation: Evaluation) -> Iterator[Finding]:
    """Whether float32 itself is nearer to the truth with red and blue swapped."""
    if not evaluation.task.needs_truth or not evaluation.cases:
        return
    turned = [case._replace(feeds=swap(case.feeds, evaluation.inputs)) for case in evaluation.cases]
    name, measure = next(iter(evaluation.task.measures.items()))
    found = []
    for one in (evaluation, replace(evaluation, cases=turned)):
        meter = evaluation.task.meter()
        for case, outputs in run(network, one):
            meter.add(case, outputs)
        found.append(meter.result()[name])
    as_is, swapped = found
    if (as_is < _BETTER * swapped) if measure.higher_is_better else (swapped < _BETTER * as_is):
        yield Finding(
            "declared-order",
            f"float32 is nearer to the truth with red and blue swapped: {name} {swapped:.4g} "
            f"in place of {as_is:.4g} ({measure.unit})",
            "correct `to:` of the preprocessing, if the network was trained on the other order",
        )


def _levels(
    seen: Sequence[Mapping[str, F32]],
    judged: Sequence[Mapping[str, F32]],
    inputs: Mapping[str, InputSpec],
) -> Iterator[Finding]:
    for name, spec in inputs.items():
        if spec.preprocess is None:
            continue
        low, high = _ends(seen, name, spec)
        wanted_low, wanted_high = _ends(judged, name, spec)
        width = max(wanted_high - wanted_low, 1.0)
        missing = max(low - wanted_low, wanted_high - high) / width
        if missing > _LEVELS:
            yield Finding(
                "levels",
                f"the calibration frames hold levels of {low:.0f} to {high:.0f} (of 255, 98 "
                f"percent of the pixels of {name!r}), the evaluation frames {wanted_low:.0f} to "
                f"{wanted_high:.0f}",
                "calibrate in the light that the camera will see",
            )


def _ends(feeds: Sequence[Mapping[str, F32]], name: str, spec: InputSpec) -> tuple[float, float]:
    each = [np.percentile(levels(feed[name], spec), _ENDS) for feed in feeds]
    low, high = np.mean(each, axis=0)
    return float(low), float(high)


def _ranges(seen: Sequence[Response], expected: Sequence[Response]) -> Iterator[Finding]:
    own, wanted = _joined(seen), _joined(expected)
    layers = [name for name in wanted if not name.startswith(Probe.OUTPUT)]
    if not layers:
        return
    past, wider = {}, {}
    for name in layers:
        (low, high), (least, most) = own[name], wanted[name]
        width = most - least
        if width > 0.0:
            past[name] = max(0.0, low - least, most - high) / width
            wider[name] = (high - low) / width
    clipped = [name for name, share in past.items() if share > _PAST]
    if len(clipped) > _HALF * len(layers):
        worst = max(past, key=lambda name: past[name])
        yield Finding(
            "ranges",
            f"in {len(clipped)} of {len(layers)} layers the evaluation frames go past the "
            f"calibrated range by over a quarter of their own; most in {worst!r}: "
            f"{_shown(wanted[worst])} against {_shown(own[worst])}",
            "calibrate on frames like those that the model will see",
        )
    loose = [name for name, ratio in wider.items() if ratio > _WIDER]
    if len(loose) > _HALF * len(layers):
        worst = max(wider, key=lambda name: wider[name])
        yield Finding(
            "wide-ranges",
            f"in {len(loose)} of {len(layers)} layers the calibrated range is over twice as wide "
            f"as the evaluation frames need; most in {worst!r}: {_shown(own[worst])} against "
            f"{_shown(wanted[worst])}",
            "leave frames out that the model will never see",
        )


def _joined(several: Sequence[Response]) -> dict[str, tuple[float, float]]:
    return {
        name: (
            min(one.ranges[name][0] for one in several),
            max(one.ranges[name][1] for one in several),
        )
        for name in several[0].ranges
    }


def _shown(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} to {ends[1]:.3g}"


def _judged_on(calibration: CalibrationSet, evaluation: Evaluation) -> Iterator[Finding]:
    if evaluation.path is None:
        yield Finding(
            "judged-on-noise",
            f"the model was judged on {len(evaluation.cases)} tensors of noise: its figures say "
            "nothing of real frames",
            "give evaluation frames: `precision.frames` of accuracy.yaml, or verify.frames",
        )
    elif calibration.path is not None and calibration.path.resolve() == evaluation.path.resolve():
        yield Finding(
            "same-file",
            f"the model was judged on frames of the file that it was calibrated on: "
            f"{evaluation.shared} of {len(evaluation.cases)} are the very same, the others of the "
            "same scene",
            "calibrate and judge on different recordings",
        )


def _constant(expected: Sequence[Response], constants: Mapping[str, float]) -> Iterator[Finding]:
    """Outputs that never change: no floor says anything about them."""
    for name, (low, high) in _joined(expected).items():
        if not name.startswith(Probe.OUTPUT):
            continue
        number = constants.get(name.removeprefix(Probe.OUTPUT))
        if low == high:
            yield Finding(
                "constant-output",
                f"{name} is {low:g} everywhere on all {len(expected)} evaluation frames that were "
                "looked at: nothing can be measured on it",
                "leave it out of `outputs`, or judge on frames that change it",
            )
        elif number is not None:
            yield Finding(
                "constant-output",
                f"{name} is {number:g} everywhere, in every calibration frame: nothing can be said "
                "of its accuracy",
                "look at the frames, and at the network",
            )
