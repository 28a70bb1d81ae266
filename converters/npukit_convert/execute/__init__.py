"""Execution of models by independent engines, to compare them; one file per engine.

An engine is imported when it is asked for: torch is needed for torch modules alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from npukit.runtime.build import is_build
from npukit_convert.errors import ExecutionError
from npukit_convert.execute.base import Executor, Shape

if TYPE_CHECKING:
    from torch import nn

_OTHERS = {
    ".caffemodel": "give the .prototxt, with the .caffemodel beside it",
    ".safetensors": "give MODULE.py:FACTORY and these weights with it",
    ".pt": "give MODULE.py:FACTORY, and the weights as .safetensors",
    ".pth": "give MODULE.py:FACTORY, and the weights as .safetensors",
    ".om": "a board's .om runs on a board; a simulator build under that name runs here",
}


def open_model(
    source: str | Path | bytes | nn.Module,
    *,
    weights: Path | None = None,
    inputs: Mapping[str, Shape] | None = None,
    caffe_python: Path | None = None,
) -> Executor:
    """Open a model with the engine that fits.

    Args:
        source: `MODULE.py:FACTORY` (torch), a .prototxt (Caffe), a simulator build, recognised
            by content, an .onnx file; or the bytes of an ONNX network; or a torch module.
        weights: .safetensors of a torch module, .caffemodel of a Caffe network if it does not
            lie beside the .prototxt.
        inputs: of a torch module, which does not say its own.
        caffe_python: a Python that has Caffe, to be used in place of OpenCV.

    Raises:
        ExecutionError: no engine takes it.
        ConfigError: no such Python file or function in it.
        ConversionError: the torch module cannot be made, or its weights do not fit.
    """
    if isinstance(source, bytes):
        from npukit_convert.execute.onnx_runtime import OnnxRuntime

        return OnnxRuntime(source)
    if not isinstance(source, (str, Path)):
        from npukit_convert.execute.torch_eager import TorchEager

        return TorchEager(source, inputs=inputs)
    if is_torch(source):
        return _open_torch(str(source), weights, inputs)
    return _open_file(Path(source), weights, caffe_python)


def is_torch(source: str | Path) -> bool:
    """Whether the text is `MODULE.py:FACTORY`."""
    return ".py:" in str(source)


def is_caffe(source: str | Path) -> bool:
    """Whether the text is the path of a prototxt."""
    return str(source).lower().endswith(".prototxt")


def _open_file(path: Path, weights: Path | None, caffe_python: Path | None) -> Executor:
    if is_caffe(path):
        if caffe_python is not None:
            from npukit_convert.execute.caffe_bvlc import CaffeBVLC

            return CaffeBVLC(path, weights, python=caffe_python)
        from npukit_convert.execute.caffe_opencv import CaffeOpenCV

        return CaffeOpenCV(path, weights)
    if weights is not None:
        raise ExecutionError("such a model takes no weights", where=str(path))
    try:
        found = is_build(str(path))
    except OSError as error:
        raise ExecutionError(
            f"the file cannot be read: {error.strerror}", where=str(path)
        ) from error
    if found:
        from npukit_convert.execute.simulator import Simulator

        return Simulator(path)
    if path.suffix.lower() in _OTHERS:
        raise ExecutionError(
            "not a model that runs here", where=str(path), hint=_OTHERS[path.suffix.lower()]
        )
    from npukit_convert.execute.onnx_runtime import OnnxRuntime

    return OnnxRuntime(path)


def _open_torch(source: str, weights: Path | None, inputs: Mapping[str, Shape] | None) -> Executor:
    try:
        from npukit_convert.execute.torch_eager import TorchEager
        from npukit_convert.torch_module import make_module
        from npukit_convert.weights import load_weights

        file, _, factory = source.rpartition(":")
        module = make_module(Path(file), factory, source)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ExecutionError(
            "torch is not installed", where=source, hint="pip install 'npukit[torch]'"
        ) from error
    if weights is not None:
        load_weights(module, weights)
    return TorchEager(module, source, inputs)


__all__ = ["Executor", "Shape", "is_caffe", "is_torch", "open_model"]
