"""PyTorch to ONNX, with static shapes and names that the later steps rely on."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from npukit_convert.errors import ConversionError
from npukit_convert.graph import OPSET

if TYPE_CHECKING:
    from torch import nn


def export(
    module: nn.Module, shapes: Mapping[str, tuple[int, ...]], outputs: Sequence[str]
) -> tuple[bytes, list[str]]:
    """The ONNX bytes of a module in evaluation mode, and the tracer's warnings.

    A warning means that a decision of the module's Python code was taken once and for all.

    Args:
        module: float32, on the CPU.
        shapes: of the inputs, by name, in the order of the module's arguments.
        outputs: names, in the order of its results.

    Raises:
        ConversionError: the exporter refuses the module.
    """
    import torch
    from torch.jit._trace import TracerWarning

    module.eval()
    example = tuple(torch.zeros(*shape) for shape in shapes.values())
    buffer: Any = io.BytesIO()
    try:
        with warnings.catch_warnings(record=True) as caught, torch.no_grad():
            # Of the exporter's own remarks none is of use here: that the TorchScript exporter is
            # deprecated (the only one whose graphs compilers for fixed-shape chips read without
            # rewriting, and that keeps to the opset), that an InstanceNorm uses the picture's
            # own statistics.
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", TracerWarning)
            # torch's own checks of shapes, which a static graph does not need.
            warnings.filterwarnings("ignore", category=TracerWarning, module=r"torch\.")
            torch.onnx.export(
                module,
                example,
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(shapes),
                output_names=list(outputs),
                do_constant_folding=True,
            )
    except Exception as error:
        raise ConversionError(
            f"torch.onnx.export refuses the module: {_first_lines(error)}"
        ) from error
    notes = [
        f"{warning.filename}:{warning.lineno}: {str(warning.message).split('. ')[0]}"
        for warning in caught
        if issubclass(warning.category, TracerWarning)
    ]
    return buffer.getvalue(), notes


def _first_lines(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).strip().splitlines()[:4])
