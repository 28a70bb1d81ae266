"""The simulator build: an ONNX network, its declaration and its record in one file.

Layout, little-endian: 8 bytes magic, uint64 length of the header, the header (JSON, UTF-8),
the ONNX bytes. The header carries the size and SHA-256 of the ONNX bytes, so a file that was
cut or changed is refused. Recognised by its first bytes, whatever its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from npukit.errors import ConfigError, ModelError, check_keys
from npukit.files import replacing
from npukit.preprocess.spec import Preprocess

MAGIC = b"NPUKSIM1"
_LENGTH = struct.Struct("<Q")
_HEADER_LIMIT = 1 << 20


@dataclass(frozen=True)
class InputSpec:
    """A network input: its NCHW shape, and how the device makes it from frame bytes."""

    shape: Tuple[int, ...]
    preprocess: Optional[Preprocess] = None


@dataclass(frozen=True)
class SimulatorBuild:
    """What a simulator build holds.

    Attributes:
        name: of the model.
        inputs: by name, in the network's order.
        outputs: names, in the network's order.
        states: input name to the output that is fed back into it.
        onnx: the network's bytes.
        record: how it was made (versions, hashes), for people and for `inspect`.
    """

    name: str
    inputs: Mapping[str, InputSpec]
    outputs: Tuple[str, ...]
    onnx: bytes
    states: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


def is_build(path: str) -> bool:
    """Whether the file begins as a simulator build does."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def write_build(path: str, build: SimulatorBuild) -> None:
    """Write a simulator build; an older file stays whole until the new one is complete."""
    header = {
        "name": build.name,
        "inputs": {name: _input_to_dict(spec) for name, spec in build.inputs.items()},
        "outputs": list(build.outputs),
        "states": dict(build.states),
        "onnx": {"bytes": len(build.onnx), "sha256": hashlib.sha256(build.onnx).hexdigest()},
        "record": dict(build.record),
    }
    text = json.dumps(header, indent=1).encode("utf-8")
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(MAGIC + _LENGTH.pack(len(text)) + text + build.onnx)


def read_build(path: str) -> SimulatorBuild:
    """Read a simulator build and check that it is whole.

    Raises:
        ModelError: no such file, another kind of file, or a damaged one.
    """
    if not os.path.isfile(path):
        raise ModelError("the model file does not exist", where=path)
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ModelError(
                "not a simulator build",
                where=path,
                hint="an .onnx file becomes one by `npukit convert`; a board's .om runs on a board",
            )
        text, onnx = _read_parts(file.read(), path)
    try:
        return _from_header(json.loads(text.decode("utf-8")), onnx, path)
    except (ValueError, ConfigError) as error:
        raise ModelError("the header is damaged: {}".format(error), where=path) from error


def _read_parts(rest: bytes, path: str) -> Tuple[bytes, bytes]:
    size = _LENGTH.size
    length = _LENGTH.unpack(rest[:size])[0] if len(rest) >= size else _HEADER_LIMIT + 1
    if length > _HEADER_LIMIT or len(rest) < size + length:
        raise ModelError("the file is cut short or damaged", where=path)
    return rest[size : size + length], rest[size + length :]


def _from_header(header: Any, onnx: bytes, path: str) -> SimulatorBuild:
    if not isinstance(header, dict):
        raise ValueError("not a mapping")
    keys = ("name", "inputs", "outputs", "states", "onnx", "record")
    check_keys(header, keys, path, required=keys)
    wanted = header["onnx"]
    check_keys(wanted, ("bytes", "sha256"), path, required=("bytes", "sha256"))
    if len(onnx) != wanted["bytes"] or hashlib.sha256(onnx).hexdigest() != wanted["sha256"]:
        raise ModelError(
            "the network is cut short or changed ({} of {} bytes)".format(
                len(onnx), wanted["bytes"]
            ),
            where=path,
            hint="copy the file again, or make it anew",
        )
    return SimulatorBuild(
        name=str(header["name"]),
        inputs={name: _input_from_dict(data, path) for name, data in header["inputs"].items()},
        outputs=tuple(str(name) for name in header["outputs"]),
        states={str(into): str(out) for into, out in header["states"].items()},
        onnx=onnx,
        record=header["record"],
    )


def _input_to_dict(spec: InputSpec) -> Dict[str, Any]:
    data: Dict[str, Any] = {"shape": list(spec.shape)}
    if spec.preprocess is not None:
        data["preprocess"] = spec.preprocess.to_dict()
    return data


def _input_from_dict(data: Any, path: str) -> InputSpec:
    check_keys(data, ("shape", "preprocess"), path, required=("shape",))
    shape = tuple(data["shape"])
    if not all(isinstance(side, int) and side > 0 for side in shape):
        raise ValueError("shape {} is not made of positive numbers".format(shape))
    declared = data.get("preprocess")
    return InputSpec(shape, None if declared is None else Preprocess.from_dict(declared, path))
