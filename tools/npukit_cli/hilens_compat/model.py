"""Model: 1-D arrays in, 1-D float32 arrays out, an int on errors."""

from __future__ import annotations

import os
from typing import Any, List, Union

import numpy as np

from npukit.arrays import F32, Array
from npukit.errors import ModelError, NpukitError
from npukit.runtime import load_model
from npukit.runtime.base import TensorSpec
from npukit_cli.hilens_compat import log, state
from npukit_cli.hilens_compat.codes import CreateError, HiLensEC
from npukit_cli.hilens_compat.settings import read_settings


class Model:
    """A simulator build at the path where the script expects its .om file."""

    def __init__(self, filename: str) -> None:
        """Load it.

        Raises:
            TypeError: the name is no str.
            CreateError: "failed to create Model"; the reason is logged.
        """
        if not isinstance(filename, str):
            raise TypeError("a file name is a str, not {!r}".format(filename))
        try:
            if not os.path.dirname(filename):
                raise ModelError(
                    "a bare file name: the device needs a folder in front",
                    where=filename,
                    hint='"./{0}", or hilens.get_model_dir() + "{0}"'.format(filename),
                )
            self._model = load_model(filename, threads=read_settings().threads)
        except NpukitError as error:
            log.explain("Model: {}".format(error))
            raise CreateError("failed to create Model") from error

    def infer(self, inputs: List[Array]) -> Union[int, List[F32]]:
        """Execute once.

        Args:
            inputs: an array per input in the network's order, 1-D, uint8 or float32.

        Returns:
            A 1-D float32 array per output, of its bytes as they are; or an error code, 17 when a
            size does not fit.

        Raises:
            ValueError: an array of another dtype.
            TypeError: an array that is not 1-D, or no list of arrays.
        """
        _check_arrays(inputs)
        specs = list(self._model.inputs.values())
        if len(inputs) != len(specs):
            return _failed(
                "{} inputs given, the model has {}: {}".format(
                    len(inputs), len(specs), ", ".join(spec.name for spec in specs)
                )
            )
        for index, (spec, array) in enumerate(zip(specs, inputs)):
            if array.nbytes != spec.nbytes:
                return _failed(_explain_size(index, spec, array))
        # The device takes the bytes as they are, whatever they were meant as.
        feeds = {
            spec.name: np.ascontiguousarray(array).view(spec.dtype).reshape(spec.shape)
            for spec, array in zip(specs, inputs)
        }
        try:
            outputs = self._model.infer(feeds)
        except NpukitError as error:
            return _failed(str(error))
        state.count("inferences")
        return [np.ascontiguousarray(value).ravel().view(np.float32) for value in outputs.values()]


def _check_arrays(inputs: Any) -> None:
    if not isinstance(inputs, (list, tuple)):
        raise TypeError("infer takes a list of arrays, not {}".format(type(inputs).__name__))
    for array in inputs:
        if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.float32):
            raise ValueError("input dtype not supported! (valid dtype: uint8, float32)")
        if array.ndim != 1:
            raise TypeError(
                "an input has 1 dimension, this one {}: use .flatten()".format(array.shape)
            )


def _failed(reason: str) -> int:
    log.explain("infer: " + reason)
    return int(HiLensEC.HIAI_INFER_ERROR)


def _explain_size(index: int, spec: TensorSpec, array: Array) -> str:
    """In the words of the device's log, and then why."""
    cause = _likely_cause(spec, array)
    return (
        "aiModelManager Process failed: inputTensorVec[{0}]: name={1} {2} {3} size={4}; "
        "your input size:{0}: {5} ({6}){7}".format(
            index, spec.name, "x".join(map(str, spec.shape)), spec.dtype, spec.nbytes,
            array.nbytes, array.dtype, "; likely cause: " + cause if cause else "",
        )
    )  # fmt: skip


def _likely_cause(spec: TensorSpec, array: Array) -> str:
    if spec.preprocess is None:
        if spec.dtype == "float32" and array.dtype == np.uint8:
            return "bytes, where the model has no preprocessing: give float32 in NCHW order"
        return ""
    if array.dtype == np.float32:
        return "float32, where the model preprocesses bytes itself: give uint8"
    takes_nv21 = spec.preprocess.source == "nv21"
    if array.nbytes == 2 * spec.nbytes and takes_nv21:
        return "RGB of the same size, where the model takes NV21"
    if 2 * array.nbytes == spec.nbytes and not takes_nv21:
        return "NV21 of the same size, where the model takes {}".format(spec.preprocess.source)
    return "a picture of another size than {}x{}".format(*spec.size)
