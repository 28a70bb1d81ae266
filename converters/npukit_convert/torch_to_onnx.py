"""PyTorch to ONNX, with static shapes and names that the later steps rely on."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from npukit.arrays import F32
from npukit.preprocess import to_tensor
from npukit.runtime.declaration import InputSpec
from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    from torch import nn

OPSET = 13
_AMPLITUDES = (0.1, 1.0)


def export(module: nn.Module, inputs: Mapping[str, InputSpec], outputs: Sequence[str]) -> bytes:
    """The ONNX bytes of a module in evaluation mode.

    Args:
        module: float32, on the CPU.
        inputs: by name, in the order of the module's arguments.
        outputs: names, in the order of its results.

    Raises:
        ConversionError: the exporter refuses the module.
    """
    import torch

    module.eval()
    example = tuple(torch.zeros(*spec.shape) for spec in inputs.values())
    buffer: Any = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # The TorchScript exporter is deprecated, but the only one whose graphs compilers for
            # fixed-shape chips read without rewriting.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                module,
                example,
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                do_constant_folding=True,
            )
    except Exception as error:
        raise ConversionError(f"torch.onnx.export refuses the module: {error}") from error
    data: bytes = buffer.getvalue()
    return data


def largest_difference(
    module: nn.Module, onnx: bytes, inputs: Mapping[str, InputSpec], outputs: Sequence[str]
) -> float:
    """Max abs difference of torch and ONNX Runtime on random inputs, small and large.

    Noise from a fixed seed, of amplitude 0.1 and 1: of the full scale of a picture's bytes,
    through its own preprocessing, or of a standard deviation of 1 for other inputs. NaN when
    there is one in any output.

    Raises:
        ConversionError: the module refuses its inputs, or has other outputs than those named.
    """
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = 0.0
    for amplitude in _AMPLITUDES:
        feeds: dict[str, F32] = {
            name: _noise(spec, amplitude, random) for name, spec in inputs.items()
        }
        expected = _run(module, feeds.values())
        if len(expected) != len(outputs):
            raise ConversionError(
                f"the network has {len(expected)} outputs, {len(outputs)} are named",
                hint="name each in `outputs`",
            )
        found = session.run(list(outputs), feeds)
        for one, other in zip(expected, found, strict=True):
            worst = float(np.maximum(worst, np.abs(one - other).max()))  # keeps NaN
    return worst


def _run(module: nn.Module, feeds: Iterable[F32]) -> list[F32]:
    import torch

    try:
        with torch.no_grad():
            result = module(*(torch.from_numpy(feed) for feed in feeds))
    except Exception as error:
        raise ConversionError(f"the network refuses its inputs: {error}") from error
    return [one.numpy() for one in (result if isinstance(result, (tuple, list)) else (result,))]


def _noise(spec: InputSpec, amplitude: float, random: np.random.Generator) -> F32:
    if spec.preprocess is None:
        return (amplitude * random.standard_normal(spec.shape)).astype(np.float32)
    height, width = spec.shape[-2:]
    levels = 127.5 * (1.0 + amplitude * random.uniform(-1.0, 1.0, (height * 3 // 2, width)))
    return to_tensor(spec.preprocess, levels.astype(np.uint8))
