"""What is wrong with calibration frames as pictures: too few, too alike, of another shape."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from npukit_convert.quantization.accuracy.evaluation import Evaluation
from npukit_convert.quantization.calibration.calibration_set import CalibrationSet
from npukit_convert.quantization.calibration.distinct import apart
from npukit_convert.quantization.results import Finding

FEW = 32
"""Distinct frames below which ranges depend on which frames they are."""

ONE_SCENE = 3.0
"""Levels of 0..255, RMS over thumbnails, median over all pairs of frames. One person who sits
still before a wall gave 3.5, clips with more life 8 to 26, photographs above 57."""


_SQUEEZED = 1.2  # ratio of the aspects


def few(calibration: CalibrationSet) -> Iterator[Finding]:
    """Too few distinct frames."""
    summary = calibration.summary
    if summary.kept < FEW:
        yield Finding(
            "few-frames",
            f"{summary.kept} distinct frames, of {summary.read} in {summary.source}: ranges from "
            f"fewer than {FEW} depend on which frames they are",
            "give more frames, of other places, people and light (calibration.samples: how many)",
        )


def alike(calibration: CalibrationSet) -> Iterator[Finding]:
    """Frames that show one scene."""
    table = calibration.table
    if len(table) < 2:
        return
    distance = median(
        float(value) for row in range(1, len(table)) for value in apart(table[:row], table[row])
    )
    if distance < ONE_SCENE:
        yield Finding(
            "alike",
            f"the {len(table)} calibration frames are {distance:.1f} of 255 levels apart (median "
            f"of all pairs, RMS over thumbnails): they show one scene, which hardly moves",
            "give frames of other places, people and light",
        )


def shapes(calibration: CalibrationSet, evaluation: Evaluation) -> Iterator[Finding]:
    """Frames of a size or aspect that the camera does not have."""
    sizes = [frame.size for frame in calibration.frames]
    if not sizes:
        return
    for spec in evaluation.inputs.values():
        if spec.preprocess is None:
            continue
        height, width = spec.shape[2:]
        small = [size for size in sizes if size[0] < width or size[1] < height]
        if 2 * len(small) > len(sizes):
            yield Finding(
                "small-frames",
                f"{len(small)} of {len(sizes)} calibration frames are smaller than the network's "
                f"{width}x{height}, such as {small[0][0]}x{small[0][1]}: enlarged frames are soft",
                "calibrate on frames of the camera's own size",
            )
        if spec.preprocess.geometry == "full" and evaluation.sizes:
            own, wanted = (
                median(size[0] / size[1] for size in several)
                for several in (sizes, evaluation.sizes)
            )
            if max(own / wanted, wanted / own) > _SQUEEZED:
                yield Finding(
                    "aspect",
                    f"calibration frames such as {sizes[0][0]}x{sizes[0][1]} are squeezed into "
                    f"{width}x{height} otherwise than evaluation frames such as "
                    f"{evaluation.sizes[0][0]}x{evaluation.sizes[0][1]}: by "
                    f"{max(own / wanted, wanted / own):.2f}",
                    "calibrate on frames of the camera's own aspect",
                )
