"""Boards with CANN (Atlas 200 DK, Orange Pi AIpro): models through Huawei's pyACL."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import acl
import numpy as np

from npukit.arrays import Array
from npukit.errors import ModelError
from npukit.runtime import _acl, _acl_aipp
from npukit.runtime._acl import Buffers, Port, ask, make
from npukit.runtime.base import Model, Runtime, TensorSpec, input_tensor
from npukit.runtime.declaration import Declaration

# Inputs that the compiler adds.
_GEAR, _AIPP = "ascend_mbatch_shape_data", "ascend_dynamic_aipp_data"


class AscendRuntime(Runtime):
    """Executes offline models on an Ascend NPU; one per process."""

    def __init__(self, device: int = 0) -> None:
        """`device` is the number that `npu-smi info` shows."""
        self._device = device
        self._release: Optional[ExitStack] = None
        self._context = 0
        self._open: List[AscendModel] = []
        self.copies = (_acl.HOST_TO_DEVICE, _acl.DEVICE_TO_HOST)

    def start(self, check_value: str = "") -> None:
        """See `Runtime.start`; what is not released by `stop` is released when Python ends."""
        if self._release is not None:
            return
        where = "device {}".format(self._device)
        with ExitStack() as release:
            if acl.init() != _acl.REPEAT_INITIALIZE:  # else another part of the process owns it
                release.callback(ask, where, acl.finalize)
            ask(where, acl.rt.set_device, self._device)
            release.callback(ask, where, acl.rt.reset_device, self._device)
            self._context = ask(where, acl.rt.create_context, self._device)
            release.callback(ask, where, acl.rt.destroy_context, self._context)
            if ask(where, acl.rt.get_run_mode) == _acl.RUN_ON_DEVICE:
                self.copies = (_acl.DEVICE_TO_DEVICE,) * 2
            self._release = release.pop_all()
        atexit.register(self.stop)

    def stop(self) -> None:
        """See `Runtime.stop`; models that are still open are closed."""
        release, self._release = self._release, None
        if release is None:
            return
        atexit.unregister(self.stop)
        with release:
            self.enter()
            for model in list(self._open):
                release.callback(model.close)

    def load(self, path: str, threads: int = 1, declared: Optional[Declaration] = None) -> Model:
        """See `Runtime.load`; without `declared` inputs and outputs are as the file says."""
        self.start()
        self.enter()
        model = AscendModel(self, path, declared)
        self._open.append(model)
        return model

    def enter(self) -> None:
        """Make the context that of the calling thread, as every thread must that uses pyACL."""
        ask("device {}".format(self._device), acl.rt.set_context, self._context)

    def forget(self, model: AscendModel) -> None:
        """A model was closed."""
        if model in self._open:
            self._open.remove(model)


class AscendModel(Model):
    """A loaded offline model, its buffers on the device, and how to fill them."""

    def __init__(self, runtime: AscendRuntime, path: str, declared: Optional[Declaration]) -> None:
        self._runtime, self._where = runtime, path
        with ExitStack() as release:
            self._load(path, release)
            specs = self._specs(declared)
            super().__init__(*specs, declared.states if declared else None, path)
            self._into = _matched(self._given, specs[0], path, "input")
            self._from = _matched(self._made, specs[1], path, "output")
            self._check_sizes()
            self._gear = self._plan_gear()
            self._parameters = self._plan_aipp(release)
            self._release = release.pop_all()

    def close(self) -> None:
        """See `Model.close`; may be called twice."""
        self._runtime.forget(self)
        self._runtime.enter()
        self._release.close()

    def infer_many(self, items: Sequence[Mapping[str, Array]]) -> List[Dict[str, Array]]:
        """See `Model.infer_many`; as many at a time as the model's largest batch takes."""
        self._check_many(items)
        most = max(self._batches or (1,))
        results: List[Dict[str, Array]] = []
        for start in range(0, len(items), most):
            results += self._run(items[start : start + most])
        return results

    def _load(self, path: str, release: ExitStack) -> None:
        self._id = ask(path, acl.mdl.load_from_file, path)
        release.callback(ask, path, acl.mdl.unload, self._id)
        desc = make(path, acl.mdl.create_desc)
        release.callback(ask, path, acl.mdl.destroy_desc, desc)
        ask(path, acl.mdl.get_desc, desc, self._id)
        ports = _acl.inputs(desc, path)
        self._added = {port.name: port for port in ports if port.name.startswith((_GEAR, _AIPP))}
        self._given = [port for port in ports if port.name not in self._added]
        self._made = _acl.outputs(desc, path)
        self._batches: Tuple[int, ...] = ()
        if _GEAR in self._added:
            self._batches = tuple(sorted(ask(path, acl.mdl.get_dynamic_batch, desc)["batch"]))
        self._inputs = Buffers(ports, release, path)
        self._outputs = Buffers(self._made, release, path)

    def _specs(
        self, declared: Optional[Declaration]
    ) -> Tuple[Tuple[TensorSpec, ...], Tuple[TensorSpec, ...]]:
        if declared is None:
            return (
                tuple(self._as_filed(port) for port in self._given),
                tuple(self._as_filed(port) for port in self._made),
            )
        dtypes = [_for_host(port.dtype) for port in self._made]
        dtypes += ["float32"] * len(declared.outputs)  # how many there are is checked later
        return (
            tuple(input_tensor(name, spec, self._where) for name, spec in declared.inputs.items()),
            tuple(
                TensorSpec(name, shape, dtype)
                for (name, shape), dtype in zip(declared.outputs.items(), dtypes)
            ),
        )

    def _as_filed(self, port: Port) -> TensorSpec:
        """A tensor of batch 1; bytes where the file's shape is not that of the buffer (AIPP)."""
        most = max(self._batches or (1,))
        shape = tuple(1 if side == -1 else side for side in port.dims)
        if int(np.prod(shape)) * np.dtype(port.dtype).itemsize * most != port.size:
            return TensorSpec(port.name, (port.size // most,), "uint8")
        return TensorSpec(port.name, shape, _for_host(port.dtype))

    def _check_sizes(self) -> None:
        most = max(self._batches or (1,))
        for ports, specs, kind in (
            (self._into, self.inputs, "input"),
            (self._from, self.outputs, "output"),
        ):
            for name, spec in specs.items():
                needed, size = _bytes(spec, ports[name]) * most, ports[name].size
                # A model for several picture sizes has room for the largest.
                if needed > size or (needed < size and not (self._open_size or kind == "output")):
                    raise ModelError(
                        "{} {!r} of the model has {} bytes, declared are {}".format(
                            kind, name, size, needed
                        ),
                        where=self._where,
                        hint="compile it with the declaration's shape and AIPP file: RGB is twice "
                        "as many bytes as NV21, float32 eight times",
                    )

    @property
    def _open_size(self) -> bool:
        """Whether it was compiled for several sizes of pictures."""
        return _GEAR in self._added and not self._batches

    def _plan_gear(self) -> Optional[Tuple[int, ...]]:
        """(height, width) to be set, of a model with several sizes of pictures."""
        if not self._open_size:
            return None
        sized = [spec for spec in self.inputs.values() if spec.preprocess or len(spec.shape) == 4]
        if not sized:
            raise ModelError("no input says which picture size to use", where=self._where)
        return sized[0].size[::-1]

    def _plan_aipp(self, release: ExitStack) -> int:
        """The parameter set of dynamic AIPP; 0 where the model has none."""
        added = [name for name in self._added if name.startswith(_AIPP)]
        pictures = [spec for spec in self.inputs.values() if spec.preprocess is not None]
        if not added:
            return 0
        if len(added) > 1 or len(pictures) != 1 or pictures[0].preprocess is None:
            raise ModelError(
                "dynamic AIPP is supported for one declared picture input; the model has {}, "
                "{} are declared".format(len(added), len(pictures)),
                where=self._where,
                hint="compile with a static AIPP file",
            )
        batch = max(self._batches or (1,))
        steps = _acl_aipp.steps(pictures[0].preprocess, pictures[0].size)
        parameters = make(self._where, acl.mdl.create_aipp, batch)
        release.callback(ask, self._where, acl.mdl.destroy_aipp, parameters)
        _acl_aipp.set_parameters(parameters, steps, batch, self._where)
        return parameters

    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        return self._run([inputs])[0]

    def _run(self, items: Sequence[Mapping[str, Array]]) -> List[Dict[str, Array]]:
        """Execute once; there are no more items than the largest batch."""
        self._runtime.enter()
        for name, spec in self.inputs.items():
            port = self._into[name]
            step = _bytes(spec, port)
            for place, item in enumerate(items):
                self._fill(port, item[name], place * step)
        dataset, where = self._inputs.dataset, self._where
        batch = next((size for size in self._batches if size >= len(items)), 1)
        if self._batches:
            gear = self._added[_GEAR].place
            ask(where, acl.mdl.set_dynamic_batch_size, self._id, dataset, gear, batch)
        elif self._gear is not None:
            gear = self._added[_GEAR].place
            ask(where, acl.mdl.set_dynamic_hw_size, self._id, dataset, gear, *self._gear)
        if self._parameters:
            index = self._added[_AIPP].place
            ask(where, acl.mdl.set_input_aipp, self._id, dataset, index, self._parameters)
        ask(where, acl.mdl.execute, self._id, dataset, self._outputs.dataset)
        return [
            {
                name: self._fetch(spec, self._from[name], place)
                for name, spec in self.outputs.items()
            }
            for place in range(len(items))
        ]

    def _fill(self, port: Port, value: Array, offset: int) -> None:
        picture = value.dtype == np.uint8
        array = np.ascontiguousarray(value, None if picture else port.dtype)
        target = self._inputs.addresses[port.place] + offset
        room, kind = port.size - offset, self._runtime.copies[0]
        ask(
            self._where, acl.rt.memcpy, target, room, array.ctypes.data, array.nbytes, kind
        )  # fmt: skip

    def _fetch(self, spec: TensorSpec, port: Port, place: int) -> Array:
        array = np.empty(spec.shape, port.dtype)
        source = self._outputs.addresses[port.place] + place * array.nbytes
        kind = self._runtime.copies[1]
        ask(
            self._where, acl.rt.memcpy, array.ctypes.data, array.nbytes, source, array.nbytes, kind
        )  # fmt: skip
        return array.astype(spec.dtype, copy=False)


def _bytes(spec: TensorSpec, port: Port) -> int:
    """What one item takes on the device."""
    itemsize = 1 if spec.dtype == "uint8" else np.dtype(port.dtype).itemsize
    return int(np.prod(spec.shape)) * itemsize


def _for_host(dtype: str) -> str:
    """The type that skills see: float16 is the device's own affair."""
    return "float32" if dtype == "float16" else dtype


def _matched(
    ports: Sequence[Port], specs: Sequence[TensorSpec], where: str, kind: str
) -> Dict[str, Port]:
    """The port of each spec: by name where the file has these names, else in order.

    The compiler names an output `NODE:INDEX:NAME`, or by the Caffe layer.
    """
    if len(ports) != len(specs):
        raise ModelError(
            "the model has {} {}s, declared are {}".format(len(ports), kind, len(specs)),
            where=where,
            hint="in the file: {}".format(", ".join(port.name for port in ports)),
        )
    named: Dict[str, Any] = {port.name.split(":")[-1]: port for port in ports}
    if all(spec.name in named for spec in specs):
        return {spec.name: named[spec.name] for spec in specs}
    return {spec.name: port for spec, port in zip(specs, ports)}
