"""The simulator build: an ONNX network, its declaration and its record in one file.

Layout, little-endian: 8 bytes magic, 32 bytes SHA-256 of all that follows, uint64 length of
the header, the header (JSON, UTF-8), the ONNX bytes. A file that was cut or changed anywhere
is refused. Recognised by its first bytes, whatever its name.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from npukit.errors import ModelError, check_keys
from npukit.files import replacing
from npukit.runtime.declaration import InputSpec

MAGIC = b"NPUKSIM1"
_LENGTH = struct.Struct("<Q")
_DIGEST = hashlib.sha256().digest_size


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
    content = pack_build(build)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def pack_build(build: SimulatorBuild) -> bytes:
    """A simulator build's bytes; equal builds give equal bytes."""
    header = {
        "name": build.name,
        "inputs": {name: spec.to_dict() for name, spec in build.inputs.items()},
        "outputs": list(build.outputs),
        "states": dict(build.states),
        "record": dict(build.record),
    }
    text = json.dumps(header, indent=1).encode("utf-8")
    content = _LENGTH.pack(len(text)) + text + build.onnx
    return MAGIC + hashlib.sha256(content).digest() + content


def read_build(path: str) -> SimulatorBuild:
    """Read a simulator build and check that it is whole.

    Raises:
        ModelError: no such file, another kind of file, or a damaged one.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ModelError(
            "the model file cannot be read: {}".format(error.strerror), where=path
        ) from error
    return parse_build(data, path)


def parse_build(data: bytes, where: str) -> SimulatorBuild:
    """A simulator build from its bytes; see `read_build`.

    Raises:
        ModelError: another kind of content, or a damaged one.
    """
    start = len(MAGIC) + _DIGEST
    magic, digest, content = data[: len(MAGIC)], data[len(MAGIC) : start], data[start:]
    if magic != MAGIC:
        raise ModelError(
            "not a simulator build",
            where=where,
            hint="an .onnx file becomes one by `npukit convert`; a board's .om runs on a board",
        )
    if hashlib.sha256(content).digest() != digest:
        raise ModelError(
            "the file is cut short or changed ({} bytes)".format(len(content)),
            where=where,
            hint="copy the file again, or make it anew",
        )
    try:
        return _from_content(content, where)
    except Exception as error:  # JSON may hold anything
        raise ModelError(
            "the header is wrong: {}: {}".format(type(error).__name__, error), where=where
        ) from error


def _from_content(content: bytes, path: str) -> SimulatorBuild:
    (length,) = _LENGTH.unpack_from(content)
    start = _LENGTH.size + length
    header, onnx = json.loads(content[_LENGTH.size : start].decode("utf-8")), content[start:]
    keys = ("name", "inputs", "outputs", "states", "record")
    check_keys(header, keys, path, required=keys)
    return SimulatorBuild(
        name=str(header["name"]),
        inputs={name: InputSpec.from_dict(data, path) for name, data in header["inputs"].items()},
        outputs=tuple(str(name) for name in header["outputs"]),
        states={str(into): str(out) for into, out in header["states"].items()},
        onnx=onnx,
        record=header["record"],
    )
