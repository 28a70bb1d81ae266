"""A stand-in for Huawei's `acl` module (pyACL): it executes nothing on a chip.

It enforces what the documents say: the order of the calls, a context in every thread, the size of
every buffer, what belongs to what at release; and it knows what was never given back. Signatures
and results are those of pyACL's binding (CANN, `acl` Python API). Python 3.7, no dependencies but
numpy: it runs on the Kit's Python too.
"""

from __future__ import annotations

import ctypes
import os
import threading
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

OK, PARAM, UNINITIALIZED, REPEATED, INVALID_FILE, PARSE, NO_MODEL = (
    0, 100000, 100001, 100002, 100003, 100013, 100011,
)  # fmt: skip
INPUT_MISMATCH, OUTPUT_MISMATCH, NOT_DYNAMIC, NO_MEMORY = 100017, 100018, 100019, 200000
NO_DEVICE, NO_CONTEXT, BAD_BATCH = 107001, 107002, 145012
GEAR, AIPP = "ascend_mbatch_shape_data", "ascend_dynamic_aipp_data"


class StandInPort(NamedTuple):
    """Name, dims, aclDataType and bytes of an input or output."""

    name: str
    dims: Tuple[int, ...]
    dtype: int
    size: int


class StandInModel(NamedTuple):
    """What `load_from_file` finds: ports, gears, and `run(inputs, call)` with bytes in and out.

    `call` holds what was set for this execution: `batch`, `hw`, `aipp`.
    """

    inputs: Sequence[StandInPort]
    outputs: Sequence[StandInPort]
    run: Callable[[List[bytes], Dict[str, Any]], List[bytes]]
    batches: Sequence[int] = ()
    sizes: Sequence[Tuple[int, int]] = ()


class StandInAcl:
    """The module: `acl.init`, `acl.rt`, `acl.mdl`. One object is one process."""

    def __init__(self, run_mode: int = 1, devices: int = 1, memory: int = 1 << 30) -> None:
        self.models: Dict[str, StandInModel] = {}
        self.calls: List[str] = []
        self.misuse: List[str] = []
        self._mode, self._devices, self._memory_left = run_mode, devices, memory
        self._initialized = False
        self._device: Optional[int] = None
        self._contexts: set = set()
        self._current = threading.local()
        self._memory: Dict[int, Any] = {}
        self._alive: Dict[int, Tuple[str, Any]] = {}
        self._next = 0x1000
        self.rt = self._space("rt")
        self.mdl = self._space("mdl")
        for name in ("init", "finalize", "create_data_buffer", "destroy_data_buffer"):
            setattr(self, name, self._told(name, getattr(self, "_" + name)))

    def leaks(self) -> List[str]:
        """What was not given back, and what was given back in the wrong order."""
        left = sorted(kind for kind, _ in self._alive.values())
        left += ["memory"] * len(self._memory) + ["context"] * len(self._contexts)
        left += ["device"] if self._device is not None else []
        left += ["init"] if self._initialized else []
        return self.misuse + left

    def _space(self, prefix: str) -> SimpleNamespace:
        start = "_{}_".format(prefix)
        names = [name for name in dir(type(self)) if name.startswith(start)]
        return SimpleNamespace(
            **{name[len(start):]: self._told(name[len(start):], getattr(self, name))
               for name in names}
        )  # fmt: skip

    def _told(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            return function(*arguments)

        call.__name__ = name
        return call

    def _new(self, kind: str, value: Any) -> int:
        self._next += 16
        self._alive[self._next] = (kind, value)
        return self._next

    def _get(self, handle: int, kind: str) -> Any:
        found, value = self._alive.get(handle, ("", None))
        if found != kind:
            self.misuse.append("{} is no {}".format(handle, kind))
            raise SystemError("the real module would crash: {} is no {}".format(handle, kind))
        return value

    def _drop(self, handle: int, kind: str) -> int:
        self._get(handle, kind)
        del self._alive[handle]
        return OK

    def _here(self) -> bool:
        """Whether this thread has a context that lives."""
        return getattr(self._current, "context", None) in self._contexts

    # --- process, device, context ---

    def _init(self, config: Optional[str] = None) -> int:
        if self._initialized:
            return REPEATED
        self._initialized = True
        return OK

    def _finalize(self) -> int:
        if not self._initialized:
            return UNINITIALIZED
        if self._device is not None:
            self.misuse.append("finalize before reset_device")
        self._initialized = False
        return OK

    def _rt_set_device(self, device: int) -> int:
        if not self._initialized:
            return UNINITIALIZED
        if not 0 <= device < self._devices:
            return NO_DEVICE
        self._device = device
        return OK

    def _rt_reset_device(self, device: int) -> int:
        if self._device != device:
            return NO_DEVICE
        if self._contexts or self._alive or self._memory:
            self.misuse.append("reset_device before everything on it was released")
        self._device = None
        return OK

    def _rt_create_context(self, device: int) -> Tuple[int, int]:
        if self._device != device:
            return 0, NO_DEVICE
        self._next += 16
        self._contexts.add(self._next)
        self._current.context = self._next
        return self._next, OK

    def _rt_set_context(self, context: int) -> int:
        if context not in self._contexts:
            return NO_CONTEXT
        self._current.context = context
        return OK

    def _rt_destroy_context(self, context: int) -> int:
        if context not in self._contexts:
            return NO_CONTEXT
        if self._alive or self._memory:
            self.misuse.append("destroy_context before what was made in it")
        self._contexts.remove(context)
        return OK

    def _rt_get_run_mode(self) -> Tuple[int, int]:
        return (self._mode, OK) if self._device is not None else (0, NO_CONTEXT)

    # --- memory ---

    def _rt_malloc(self, size: int, policy: int) -> Tuple[int, int]:
        if not self._here():
            return 0, NO_CONTEXT
        if size <= 0 or policy not in (0, 1, 2):
            return 0, PARAM
        if size > self._memory_left:
            return 0, NO_MEMORY
        self._memory_left -= size
        block = np.full(size, 0xA5, np.uint8)  # never zeros: what is not written shows
        self._memory[block.ctypes.data] = block
        return block.ctypes.data, OK

    def _rt_free(self, address: int) -> int:
        if address not in self._memory:
            self.misuse.append("free of what is no memory")
            return PARAM
        if any(
            kind == "data buffer" and value[0] == address for kind, value in self._alive.values()
        ):
            self.misuse.append("free before destroy_data_buffer")
        self._memory_left += self._memory.pop(address).nbytes
        return OK

    def _rt_memcpy(self, target: int, room: int, source: int, count: int, kind: int) -> int:
        if not self._here():
            return NO_CONTEXT
        host = self._mode == 1
        into, out_of = self._room(target), self._room(source)
        allowed = {1: (True, False), 2: (False, True)} if host else {3: None}
        if kind not in allowed or count > room:
            return PARAM
        if host and allowed[kind] != (into is not None, out_of is not None):
            self.misuse.append("memcpy of kind {} between the wrong sides".format(kind))
            return PARAM
        if (into is not None and room > into) or (out_of is not None and count > out_of):
            self.misuse.append("memcpy past the end of a buffer")
            return PARAM
        ctypes.memmove(target, source, count)
        return OK

    def _room(self, address: int) -> Optional[int]:
        """Bytes from an address to the end of its block, None for what is no device memory."""
        for start, block in self._memory.items():
            if start <= address < start + block.nbytes:
                return start + block.nbytes - address
        return None

    def _create_data_buffer(self, address: int, size: int) -> int:
        room = self._room(address)
        if room is None or size > room:
            self.misuse.append("a data buffer larger than its memory")
            return 0
        return self._new("data buffer", (address, size))

    def _destroy_data_buffer(self, buffer: int) -> int:
        return self._drop(buffer, "data buffer")

    # --- models ---

    def _mdl_load_from_file(self, path: str) -> Tuple[int, int]:
        if not self._here():
            return 0, NO_CONTEXT
        if not os.path.isfile(path):
            return 0, INVALID_FILE
        if path not in self.models:
            return 0, PARSE
        return self._new("model", self.models[path]), OK

    def _mdl_unload(self, model: int) -> int:
        return self._drop(model, "model") if self._here() else NO_CONTEXT

    def _mdl_create_desc(self) -> int:
        return self._new("desc", {})

    def _mdl_destroy_desc(self, desc: int) -> int:
        return self._drop(desc, "desc")

    def _mdl_get_desc(self, desc: int, model: int) -> int:
        self._get(desc, "desc")["model"] = self._get(model, "model")
        return OK

    def _described(self, desc: int) -> StandInModel:
        model = self._get(desc, "desc").get("model")
        assert model is not None, "create_desc without get_desc"
        return model

    def _mdl_get_num_inputs(self, desc: int) -> int:
        return len(self._described(desc).inputs)

    def _mdl_get_num_outputs(self, desc: int) -> int:
        return len(self._described(desc).outputs)

    def _mdl_get_input_name_by_index(self, desc: int, index: int) -> str:
        return self._described(desc).inputs[index].name

    def _mdl_get_output_name_by_index(self, desc: int, index: int) -> str:
        return self._described(desc).outputs[index].name

    def _mdl_get_input_size_by_index(self, desc: int, index: int) -> int:
        return self._described(desc).inputs[index].size

    def _mdl_get_output_size_by_index(self, desc: int, index: int) -> int:
        return self._described(desc).outputs[index].size

    def _mdl_get_input_data_type(self, desc: int, index: int) -> int:
        return self._described(desc).inputs[index].dtype

    def _mdl_get_output_data_type(self, desc: int, index: int) -> int:
        return self._described(desc).outputs[index].dtype

    def _mdl_get_input_dims(self, desc: int, index: int) -> Tuple[Dict[str, Any], int]:
        return _dims(self._described(desc).inputs[index]), OK

    def _mdl_get_output_dims(self, desc: int, index: int) -> Tuple[Dict[str, Any], int]:
        return _dims(self._described(desc).outputs[index]), OK

    def _mdl_get_dynamic_batch(self, desc: int) -> Tuple[Dict[str, Any], int]:
        batches = list(self._described(desc).batches)
        return {"batchCount": len(batches), "batch": batches}, OK

    def _mdl_create_dataset(self) -> int:
        return self._new("dataset", {"buffers": [], "call": {}})

    def _mdl_add_dataset_buffer(self, dataset: int, buffer: int) -> Tuple[int, int]:
        self._get(buffer, "data buffer")
        self._get(dataset, "dataset")["buffers"].append(buffer)
        return dataset, OK

    def _mdl_destroy_dataset(self, dataset: int) -> int:
        buffers = self._get(dataset, "dataset")["buffers"]
        if any(buffer in self._alive for buffer in buffers):
            self.misuse.append("destroy_dataset before its data buffers")
        return self._drop(dataset, "dataset")

    def _mdl_set_dynamic_batch_size(self, model: int, dataset: int, index: int, batch: int) -> int:
        found = self._get(model, "model")
        if not found.batches or found.inputs[index].name != GEAR:
            return NOT_DYNAMIC
        if batch not in found.batches:
            return BAD_BATCH
        self._get(dataset, "dataset")["call"]["batch"] = batch
        return OK

    def _mdl_set_dynamic_hw_size(
        self, model: int, dataset: int, index: int, height: int, width: int
    ) -> int:
        found = self._get(model, "model")
        if not found.sizes or found.inputs[index].name != GEAR:
            return NOT_DYNAMIC
        if (height, width) not in found.sizes:
            return PARAM
        self._get(dataset, "dataset")["call"]["hw"] = (height, width)
        return OK

    def _mdl_execute(self, model: int, inputs: int, outputs: int) -> int:
        if not self._here():
            return NO_CONTEXT
        found = self._get(model, "model")
        given, call = self._contents(inputs), self._get(inputs, "dataset")["call"]
        made = self._contents(outputs)
        if [block.nbytes for block in given] != [port.size for port in found.inputs]:
            return INPUT_MISMATCH
        if [block.nbytes for block in made] != [port.size for port in found.outputs]:
            return OUTPUT_MISMATCH
        names = [port.name for port in found.inputs]
        if (found.batches and "batch" not in call) or (found.sizes and "hw" not in call):
            return INPUT_MISMATCH
        if AIPP in names and "aipp" not in call:
            return INPUT_MISMATCH
        data = [
            block.tobytes()
            for block, name in zip(given, names)
            if name not in (GEAR, AIPP)
        ]  # fmt: skip
        for block, result in zip(made, found.run(data, dict(call))):
            block[: len(result)] = np.frombuffer(result, np.uint8)
        call.clear()
        return OK

    def _contents(self, dataset: int) -> List[np.ndarray]:
        buffers = [
            self._get(item, "data buffer") for item in self._get(dataset, "dataset")["buffers"]
        ]
        return [self._memory[address][:size] for address, size in buffers]

    # --- dynamic AIPP: the parameters, under the names of the calls ---

    def _mdl_create_aipp(self, batch: int) -> int:
        return self._new("aipp", {"batch": batch})

    def _mdl_destroy_aipp(self, aipp: int) -> int:
        return self._drop(aipp, "aipp")

    def _mdl_set_aipp_src_image_size(self, aipp: int, width: int, height: int) -> int:
        return self._keep(aipp, "source", (width, height), int)

    def _mdl_set_aipp_input_format(self, aipp: int, value: int) -> int:
        return self._keep(aipp, "input_format", (value,), int)

    def _mdl_set_aipp_rbuv_swap_switch(self, aipp: int, value: int) -> int:
        return self._keep(aipp, "rbuv_swap", (value,), int)

    def _mdl_set_aipp_ax_swap_switch(self, aipp: int, value: int) -> int:
        return self._keep(aipp, "ax_swap", (value,), int)

    def _mdl_set_aipp_csc_params(self, aipp: int, *values: int) -> int:
        return self._keep(aipp, "csc", values, int) if len(values) == 16 else PARAM

    def _mdl_set_aipp_dtc_pixel_mean(self, aipp: int, *values: int) -> int:
        return self._keep_one(aipp, "mean", values, int)

    def _mdl_set_aipp_dtc_pixel_min(self, aipp: int, *values: float) -> int:
        return self._keep_one(aipp, "minimum", values, float)

    def _mdl_set_aipp_pixel_var_reci(self, aipp: int, *values: float) -> int:
        return self._keep_one(aipp, "var_reci", values, float)

    def _keep(self, aipp: int, name: str, values: Sequence[Any], kind: type) -> int:
        if any(not isinstance(value, (int, kind)) for value in values):
            raise TypeError("{} takes {}".format(name, kind.__name__))  # as PyArg_ParseTuple
        self._get(aipp, "aipp")[name] = tuple(values)
        return OK

    def _keep_one(self, aipp: int, name: str, values: Sequence[Any], kind: type) -> int:
        *channels, picture = values
        if len(channels) != 4 or not 0 <= picture < self._get(aipp, "aipp")["batch"]:
            return PARAM
        return self._keep(aipp, "{} {}".format(name, picture), channels, kind)

    def _mdl_set_input_aipp(self, model: int, dataset: int, index: int, aipp: int) -> int:
        parameters = self._get(aipp, "aipp")
        if self._get(model, "model").inputs[index].name != AIPP or "source" not in parameters:
            return PARAM
        self._get(dataset, "dataset")["call"]["aipp"] = dict(parameters)
        return OK


def _dims(port: StandInPort) -> Dict[str, Any]:
    return {"name": port.name, "dimCount": len(port.dims), "dims": list(port.dims)}
