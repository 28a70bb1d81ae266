"""The HiLens Kit: models through the vendor's `hilens` module."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

import hilens
import numpy as np

from npukit.arrays import Array
from npukit.errors import ModelError
from npukit.runtime.base import Model, Runtime, TensorSpec, input_tensor
from npukit.runtime.declaration import Declaration

# Return codes that a skill meets (HiLens framework, errors.h).
_CODES = {17: "inference failed: an input's size does not fit the model", 23: "invalid parameter"}


class HilensRuntime(Runtime):
    """Executes offline models on the Kit's NPU."""

    def start(self, check_value: str) -> None:
        """See `Runtime.start`; the platform stops a skill with a wrong check value later."""
        code = hilens.init(check_value)
        if code != 0:
            raise ModelError(
                "hilens.init refuses: {}".format(explain(code)),
                hint="check_value of the manifest must be letters and digits, as in the console",
            )

    def stop(self) -> None:
        """See `Runtime.stop`."""
        hilens.terminate()

    def load(self, path: str, threads: int = 1, declared: Optional[Declaration] = None) -> Model:
        """See `Runtime.load`; the vendor's module does not tell what a model takes."""
        if declared is None:
            raise ModelError(
                "the vendor's module does not say what a model takes",
                where=path,
                hint="give inputs and outputs of the model in the manifest",
            )
        try:
            return HilensModel(hilens.Model(path), declared, path)
        except hilens.CreateError as error:
            raise ModelError(
                "the device does not load the model: {}".format(error.value),
                where=path,
                hint="the file must exist, and be compiled for this device",
            ) from error


class HilensModel(Model):
    """A loaded offline model."""

    def __init__(self, model: Any, declared: Declaration, path: str) -> None:
        super().__init__(
            tuple(input_tensor(name, spec, path) for name, spec in declared.inputs.items()),
            tuple(TensorSpec(name, shape, "float32") for name, shape in declared.outputs.items()),
            declared.states,
            path,
        )
        self._model = model

    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        found = self._model.infer([inputs[name].ravel() for name in self.inputs])
        if isinstance(found, int):
            raise ModelError(explain(found), where=self._where)
        if len(found) != len(self.outputs):
            raise ModelError(
                "the model gives {} outputs, declared are {}".format(len(found), len(self.outputs)),
                where=self._where,
            )
        return {
            spec.name: _shaped(array, spec, self._where)
            for spec, array in zip(self.outputs.values(), found)
        }


def explain(code: int) -> str:
    """A return code in words."""
    return "{} (code {})".format(_CODES.get(code, "the device reports an error"), code)


def _shaped(array: Array, spec: TensorSpec, where: str) -> Array:
    if array.size != int(np.prod(spec.shape)):
        raise ModelError(
            "output {!r} has {} values, declared is {}".format(spec.name, array.size, spec.shape),
            where=where,
        )
    return array.reshape(spec.shape)
