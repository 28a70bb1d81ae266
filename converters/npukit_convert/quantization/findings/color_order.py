"""Whether calibration frames have their colour channels in the order that the network takes.

Ranges hardly tell: which frames are taken moves the int8 network's PSNR by more than a swap of red
and blue does (-5 to +1.5 dB where the order was right). What tells is how the float32 network
*answers* to a swap. A swap moves the mean and the power of every channel of every convolution, a
vector of some thousand numbers. For frames of the right order it points the way that it points for
evaluation frames; for frames that are swapped already it points the other way. The figure is the
mean cosine between the two, each number divided by its deviation over all frames of both orders:
once over all convolutions, which see what is shown, and once over the first, which sees little but
colour.

The evaluation frames are the reference: where they are swapped too, nothing is seen here. A blue
scene among warm ones looks like a swap, so the verdict is a doubt to be looked into.

Measured with six networks (two selfie nets, BlazeFace, landmarks, two of super-resolution) on four
clips and three folders of photographs, each calibrated against each, 294 pairs, on which the limits
below were set. Right order: no false alarm. Swapped: 98 percent are seen where both are of the same
place, 60 percent between clips of different places and people, 42 percent where a folder of blue
scenes, a retina and tissue is among them too. Single photographs were no alarm either, but for
three blue ones (a launch pad, a rocket, a blue room) in 31 of 108 cases by the stronger rule, in 67
by the weaker: so that one asks for a number of frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from npukit.arrays import F32, F64, Array
from npukit.runtime.declaration import InputSpec
from npukit_convert.quantization.findings.probe import Probe

_ALL, _ALL_MOST = -0.3, 0.9  # all convolutions, and the share of frames below 0
_BOTH, _BOTH_MOST = (-0.1, -0.4), 0.75  # all convolutions and the first
_ENOUGH = 8  # frames for the weaker rule
_TINY = 1e-12


class ColorOrder(NamedTuple):
    """How calibration frames answer to a swap of red and blue.

    Attributes:
        likeness: mean cosine to the answer of the evaluation frames, -1 .. 1.
        first: the same of the first convolution alone.
        opposite: share of frames with a cosine (of all convolutions) below 0.
        frames: how many were looked at.
        red, blue: mean levels (0..255) of the calibration frames, as they are.
        expected: the same two of the evaluation frames.
    """

    likeness: float
    first: float
    opposite: float
    frames: int
    red: float
    blue: float
    expected: tuple[float, float]

    @property
    def swapped(self) -> bool:
        """Whether the frames seem to have the wrong order."""
        if self.likeness < _ALL and self.opposite >= _ALL_MOST:
            return True
        both = self.likeness < _BOTH[0] and self.first < _BOTH[1]
        return both and self.opposite >= _BOTH_MOST and self.frames >= _ENOUGH


def color_order(
    probe: Probe,
    calibration: Sequence[Mapping[str, F32]],
    evaluation: Sequence[Mapping[str, F32]],
    inputs: Mapping[str, InputSpec],
) -> ColorOrder | None:
    """Compare the answers of both sets of frames.

    Returns:
        None where no input is RGB or BGR, or there is no convolution.
    """
    colored = _colored(inputs)
    if not colored or not len(calibration) or not len(evaluation):
        return None
    own, own_swapped, first = _answers(probe, calibration, inputs)
    right, right_swapped, _ = _answers(probe, evaluation, inputs)
    if not own.size:
        return None
    deviation = np.concatenate([own, own_swapped, right, right_swapped]).std(axis=0) + _TINY
    moved: F64 = (own - own_swapped) / deviation
    wanted: F64 = ((right - right_swapped) / deviation).mean(axis=0)
    cosines = _cosines(moved, wanted)
    red, blue = _levels(calibration, colored)
    return ColorOrder(
        float(cosines.mean()),
        float(_cosines(moved[:, :first], wanted[:first]).mean()),
        float((cosines < 0.0).mean()),
        len(cosines),
        red,
        blue,
        _levels(evaluation, colored),
    )


def swap(feed: Mapping[str, F32], inputs: Mapping[str, InputSpec]) -> dict[str, F32]:
    """The same pictures with red for blue; mean and scale stay where they are."""
    return {
        name: _swapped(value, inputs[name]) if name in _colored(inputs) else value
        for name, value in feed.items()
    }


def levels(value: F32, spec: InputSpec) -> F32:
    """A picture input in levels of 0..255, (C, H, W)."""
    mean, scale = _terms(spec)
    found: F32 = value[0] / scale + mean
    return found


def _answers(
    probe: Probe, feeds: Sequence[Mapping[str, F32]], inputs: Mapping[str, InputSpec]
) -> tuple[F64, F64, int]:
    """Features of the frames, of the swapped frames, and how many are of the first layer."""
    own = [probe(feed) for feed in feeds]
    swapped = [probe(swap(feed, inputs)) for feed in feeds]
    one, other = (np.array([each.features for each in several]) for several in (own, swapped))
    return one, other, own[0].first


def _cosines(rows: F64, one: F64) -> F64:
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(one)
    cosines: F64 = (rows @ one) / np.maximum(lengths, _TINY)
    return cosines


def _colored(inputs: Mapping[str, InputSpec]) -> dict[str, InputSpec]:
    return {
        name: spec
        for name, spec in inputs.items()
        if spec.preprocess is not None and spec.preprocess.to in ("rgb", "bgr")
    }


def _swapped(value: F32, spec: InputSpec) -> F32:
    mean, scale = _terms(spec)
    found: F32 = ((levels(value, spec)[::-1] - mean) * scale)[np.newaxis]
    return np.ascontiguousarray(found)


def _levels(
    feeds: Sequence[Mapping[str, F32]], colored: Mapping[str, InputSpec]
) -> tuple[float, float]:
    """Mean red and blue of the first picture input."""
    name, spec = next(iter(colored.items()))
    assert spec.preprocess is not None  # noqa: S101 - chosen so
    first, _, last = np.mean([levels(feed[name], spec).mean(axis=(1, 2)) for feed in feeds], axis=0)
    ends = (first, last) if spec.preprocess.to == "rgb" else (last, first)
    return float(ends[0]), float(ends[1])


def _terms(spec: InputSpec) -> tuple[Array, Array]:
    assert spec.preprocess is not None  # noqa: S101 - asked for pictures alone
    mean, scale = (
        np.array(values, np.float32).reshape(-1, 1, 1)
        for values in (spec.preprocess.mean, spec.preprocess.scale)
    )
    return mean, scale
