"""What fp16 costs in accuracy, by the same floors as int8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from npukit.runtime.declaration import InputSpec
from npukit_convert.fp16 import emulate
from npukit_convert.quantization.accuracy.accuracy_file import read_accuracy
from npukit_convert.quantization.accuracy.evaluation import evaluate
from npukit_convert.quantization.accuracy.judge import Judge, Judgement


def judge_fp16(
    network: bytes,
    inputs: Mapping[str, InputSpec],
    states: Mapping[str, str],
    accuracy: Path,
    frames: Path | None,
) -> tuple[Judgement, str]:
    """Execute a network as a chip in fp16 would, and compare.

    Args:
        network: float32 ONNX.
        inputs, states: of the network.
        accuracy: the file with the floors.
        frames: to judge on where that file names none.

    Returns:
        What came of it, and what it was judged on, in words.

    Raises:
        ConfigError: the file is wrong, or does not fit the network.
        CalibrationError: no frame, or float32 itself gives NaN or infinity.
        CaptureError: the frames cannot be read.
    """
    asked = read_accuracy(accuracy)
    evaluation = evaluate(asked, None, inputs, states, network, frames)
    return Judge(network, asked, evaluation).judge(emulate(network)), evaluation.text
