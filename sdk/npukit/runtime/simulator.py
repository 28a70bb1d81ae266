"""The simulated board: the device's preprocessing, then ONNX Runtime."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional

import onnxruntime

from npukit.aipp import executor
from npukit.arrays import F32, U8, Array
from npukit.errors import AippError, ModelError
from npukit.om import is_om, unwrap
from npukit.preprocess.device import to_tensor
from npukit.runtime.base import Model, Runtime, TensorSpec, input_tensor
from npukit.runtime.build import SimulatorBuild, read_build
from npukit.runtime.declaration import Declaration, InputSpec

ToTensor = Callable[[U8], F32]

_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(int32)": "int32"}


class SimulatorRuntime(Runtime):
    """Executes simulator builds on the CPU, bare or wrapped as an .om file.

    In an .om, pictures go through Ascend's AIPP, to the bit as its documents say; in a bare build
    through the declaration in float32.
    """

    def load(self, path: str, threads: int = 1, declared: Optional[Declaration] = None) -> Model:
        """See `Runtime.load`."""
        wrapped = is_om(path)
        build = unwrap(path) if wrapped else read_build(path)
        if declared is not None:
            _check_agreement(build, declared, path)
        pictures = _aipp(build, path) if wrapped else _neutral(build)
        return SimulatorModel(build, _session(build.onnx, threads, path), pictures, path)


class SimulatorModel(Model):
    """A simulator build: takes the bytes that a board's model takes, gives its outputs."""

    def __init__(
        self, build: SimulatorBuild, session: Any, pictures: Mapping[str, ToTensor], path: str
    ) -> None:
        declared = {spec.name: spec for spec in session.get_inputs()}
        produced = {spec.name: spec for spec in session.get_outputs()}
        if set(declared) != set(build.inputs) or not set(build.outputs) <= set(produced):
            raise ModelError(
                "the network has inputs {} and outputs {}, the declaration {} and {}".format(
                    sorted(declared), sorted(produced), sorted(build.inputs), sorted(build.outputs)
                ),
                where=path,
            )
        super().__init__(
            inputs=tuple(
                _input_spec(name, spec, declared[name], path) for name, spec in build.inputs.items()
            ),
            outputs=tuple(
                TensorSpec(name, tuple(produced[name].shape), _dtype(produced[name], path))
                for name in build.outputs
            ),
            states=build.states,
            where=path,
        )
        self._session = session
        self._pictures = pictures

    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        feeds = {
            name: self._pictures[name](inputs[name]) if name in self._pictures else inputs[name]
            for name in self.inputs
        }
        names = list(self.outputs)
        try:
            return dict(zip(names, self._session.run(names, feeds)))
        except Exception as error:  # the types of ONNX Runtime's binding are not public
            raise ModelError("ONNX Runtime failed: {}".format(error), where=self._where) from error


def _neutral(build: SimulatorBuild) -> Dict[str, ToTensor]:
    return {
        name: partial(to_tensor, spec.preprocess)
        for name, spec in build.inputs.items()
        if spec.preprocess is not None
    }


def _aipp(build: SimulatorBuild, path: str) -> Dict[str, ToTensor]:
    try:
        return {
            name: executor(spec.preprocess, (spec.shape[3], spec.shape[2]))
            for name, spec in build.inputs.items()
            if spec.preprocess is not None
        }
    except AippError as error:
        raise ModelError(error.message, where=path, hint=error.hint) from error


def _check_agreement(build: SimulatorBuild, declared: Declaration, path: str) -> None:
    parts = (
        ("inputs", dict(build.inputs), dict(declared.inputs)),
        ("outputs", list(build.outputs), list(declared.outputs)),
        ("states", dict(build.states), dict(declared.states)),
    )
    for part, found, wanted in parts:
        if found != wanted:
            raise ModelError(
                "{} of the build and of the manifest differ: {} and {}".format(part, found, wanted),
                where=path,
                hint="make the build anew from the declaration, or correct the manifest",
            )


def _session(onnx: bytes, threads: int, path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads sleep: the cores belong to the other stages of the pipeline.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the types of ONNX Runtime's binding are not public
        raise ModelError(
            "ONNX Runtime refuses the network: {}".format(error), where=path
        ) from error


def _input_spec(name: str, spec: InputSpec, network: Any, path: str) -> TensorSpec:
    if tuple(network.shape) != spec.shape:
        raise ModelError(
            "input {!r} of the network is {}, declared {}".format(name, network.shape, spec.shape),
            where=path,
        )
    return input_tensor(name, spec, path, _dtype(network, path))


def _dtype(tensor: Any, path: str) -> str:
    if tensor.type not in _DTYPES or not all(isinstance(side, int) for side in tensor.shape):
        raise ModelError(
            "{!r} is {} {}: static float32, int32 or int64 tensors are supported".format(
                tensor.name, tensor.type, tensor.shape
            ),
            where=path,
        )
    return _DTYPES[tensor.type]
