"""pyACL's calls, with its return codes as errors, and the buffers that a model works in.

Names and order of the calls: CANN application development guide, pyACL interfaces.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import acl

from npukit.errors import ModelError

REPEAT_INITIALIZE = 100002
MALLOC_NORMAL_ONLY = 2
HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE = 1, 2, 3
RUN_ON_DEVICE = 0  # get_run_mode: this process runs on the board's own processor

# aclDataType to numpy; numbers of acl_base.h.
DTYPES = {
    0: "float32", 1: "float16", 2: "int8", 3: "int32", 4: "uint8", 6: "int16", 7: "uint16",
    8: "uint32", 9: "int64", 10: "uint64", 11: "float64", 12: "bool",
}  # fmt: skip

_RECOMPILE = "compile the model for this chip (--soc_version) and this CANN version"
_DRIVER = "see the device's log (/var/log/npu/slog), and whether `npu-smi info` shows the chip"
# Codes of acl_base.h that a skill meets: what happened, what to do.
CODES: Dict[int, Tuple[str, str]] = {
    100000: ("an argument is not valid", ""),
    100001: ("pyACL was not initialised", "start the runtime before a model is loaded"),
    100003: ("the file is not valid", "the path must exist and name an .om file"),
    100005: ("the file has the wrong size", "copy it again: it may be cut short"),
    100006: ("the file cannot be parsed", _RECOMPILE),
    100011: ("no such model is loaded", ""),
    100012: ("the model cannot be read", _RECOMPILE),
    100013: ("the model cannot be parsed", _RECOMPILE),
    100014: ("the model file cannot be read", "it must exist and be readable"),
    100015: ("the model's size is not valid", "copy it again: it may be cut short"),
    100016: ("the model lacks something this CANN version needs", _RECOMPILE),
    100017: (
        "an input's size does not fit the model",
        "what the file was compiled for (AIPP, shape, batch) and the declaration must agree",
    ),
    100018: ("an output's size does not fit the model", ""),
    100019: ("the model has no dynamic batch or size", ""),
    100026: ("a data type is not supported", ""),
    100027: ("a format does not match", ""),
    107000: ("an argument is not valid for the runtime", ""),
    107001: ("no such device", "`npu-smi info` lists the devices"),
    107002: ("this thread has no context", ""),
    145000: ("an argument is not valid for the model", ""),
    145012: (
        "the batch is none of those the model was compiled for",
        "compile it with that --dynamic_batch_size",
    ),
    200000: ("no memory on the device", "close other models, or use a smaller one"),
    200001: ("this device or CANN version does not support the call", ""),
    200002: ("no such device", "`npu-smi info` lists the devices"),
    207001: ("no memory on the device", "close other models, or use a smaller one"),
    500000: ("an internal error of CANN", _DRIVER),
    500002: ("the graph engine reports an error", _DRIVER),
    500003: ("the runtime reports an error", _DRIVER),
    500004: ("the driver reports an error", _DRIVER),
    507011: ("the model failed while it was executed", _DRIVER),
}


def ask(where: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call pyACL.

    Returns:
        What the call gives besides its return code; None where that is all.

    Raises:
        ModelError: the code is not 0; it says what the code means.
    """
    result = function(*arguments)
    value, code = result if isinstance(result, tuple) else (None, result)
    if code != 0:
        words, remedy = CODES.get(code, ("the device reports an error", _DRIVER))
        name = getattr(function, "__name__", "call")
        raise ModelError(
            "{} (pyACL {}, code {})".format(words, name, code), where=where, hint=remedy
        )
    return value


def make(where: str, function: Callable[..., int], *arguments: Any) -> int:
    """Call one of pyACL's constructors, which give an address, 0 when they fail.

    Raises:
        ModelError: it failed.
    """
    made = function(*arguments)
    if not made:
        name = getattr(function, "__name__", "call")
        raise ModelError("pyACL {} gives nothing".format(name), where=where, hint=_DRIVER)
    return made


class Port(NamedTuple):
    """An input or output as the model file says it.

    Attributes:
        place: its number in the file, from 0.
        name: as the compiler wrote it.
        dims: -1 where it is open; of an input with AIPP those of the picture, not of its bytes.
        dtype: numpy name.
        size: bytes of its buffer, of the largest batch.
    """

    place: int
    name: str
    dims: Tuple[int, ...]
    dtype: str
    size: int


def inputs(desc: int, where: str) -> List[Port]:
    """The inputs of a model, those that the compiler added too."""
    return _ports("input", acl.mdl.get_num_inputs(desc), desc, where)


def outputs(desc: int, where: str) -> List[Port]:
    """The outputs of a model."""
    return _ports("output", acl.mdl.get_num_outputs(desc), desc, where)


def _ports(kind: str, count: int, desc: int, where: str) -> List[Port]:
    name, dims, dtype, size = (
        getattr(acl.mdl, "get_{}_{}".format(kind, what))
        for what in ("name_by_index", "dims", "data_type", "size_by_index")
    )
    return [
        Port(
            index,
            name(desc, index),
            tuple(ask(where, dims, desc, index)["dims"]),
            _dtype(dtype(desc, index), where),
            size(desc, index),
        )
        for index in range(count)
    ]


class Buffers:
    """A dataset with one device buffer for each port, made once and used for every execution."""

    def __init__(self, ports: Sequence[Port], release: ExitStack, where: str) -> None:
        """Allocate; `release` is told how to give everything back, also when this fails half way.

        Raises:
            ModelError: there is not enough memory.
        """
        self.dataset = make(where, acl.mdl.create_dataset)
        release.callback(ask, where, acl.mdl.destroy_dataset, self.dataset)
        self.addresses: List[int] = []
        for port in ports:
            address = ask(where, acl.rt.malloc, port.size, MALLOC_NORMAL_ONLY)
            release.callback(ask, where, acl.rt.free, address)
            buffer = make(where, acl.create_data_buffer, address, port.size)
            release.callback(ask, where, acl.destroy_data_buffer, buffer)
            ask(where, acl.mdl.add_dataset_buffer, self.dataset, buffer)
            self.addresses.append(address)


def _dtype(code: int, where: str) -> str:
    if code not in DTYPES:
        raise ModelError("data type {} of the model is not supported".format(code), where=where)
    return DTYPES[code]
