"""Which kind of file it is, by its content, and its description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from npukit.errors import ConfigError
from npukit.om import wire
from npukit.om.container import MAGIC, SVP_MAGIC
from npukit.runtime.build import MAGIC as BUILD_MAGIC
from npukit_cli.inspection.description import Description
from npukit_cli.skills import bundled, find_skill

_KINDS = (
    "offline models (.om), simulator builds (.sim), ONNX, Caffe (prototxt, caffemodel), AIPP "
    "configurations, skills and their bundles (.skill) are known"
)
_DOWNLOADS = {
    b"version https://git-lfs": ("a Git LFS pointer, not the file itself", "run `git lfs pull`"),
    b"\x1f\x8b": ("compressed with gzip", "unpack it first"),
    b"PK\x03\x04": ("a ZIP archive", "unpack it first"),
    b"<!DOCTYPE": ("a web page, not the file itself", "download the file again"),
}
# Fields of ONNX' ModelProto and of Caffe's NetParameter, with their wire types.
_ONNX = {1: (wire.VARINT,), 7: (wire.BYTES,)}
_CAFFE = {1: (wire.BYTES,), 2: (wire.BYTES,), 3: (wire.BYTES,), 4: (wire.VARINT, wire.BYTES),
          5: (wire.VARINT,), 6: (wire.BYTES,), 7: (wire.VARINT,), 8: (wire.BYTES,),
          100: (wire.BYTES,)}  # fmt: skip
_AIPP = re.compile(r"^\s*aipp_op\s*:?\s*\{", re.MULTILINE)
_PROTOTXT = re.compile(r"^\s*(layers?\s*:?\s*[{<]|input\s*:\s*[\"'])", re.MULTILINE)


def describe(path: Path) -> Description:
    """Describe a file, a skill's folder, or a skill that came with npukit.

    Raises:
        NpukitError: it cannot be read, is of no known kind, or damaged.
    """
    if not path.exists() and str(path) in bundled():
        path = find_skill(str(path))
    if path.is_dir():
        from npukit_cli.inspection.skill import describe_skill

        return describe_skill(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    from npukit_cli.inspection.skill_bundle import describe_bundle, is_bundle

    if is_bundle(path):
        return describe_bundle(path)
    return describe_data(data, path)


def describe_data(data: bytes, path: Path) -> Description:
    """Describe a file by its bytes; `path` is its name. See `describe`."""
    if data[:4] in (MAGIC, SVP_MAGIC):
        from npukit_cli.inspection.offline_model import describe_om

        return describe_om(data, path)
    if data.startswith(BUILD_MAGIC):
        from npukit_cli.inspection.build import describe_build

        return describe_build(data, path)
    for start, (what, hint) in _DOWNLOADS.items():
        if data.startswith(start):
            raise ConfigError(f"the file is {what}", where=str(path), hint=hint)
    text = _as_text(data)
    if text is not None:
        return _describe_text(text, path)
    found = _top_level(memoryview(data))
    if found.get(7) == wire.BYTES and _fits(found, _ONNX):
        from npukit_cli.inspection.onnx_network import describe_onnx

        return describe_onnx(data, path)
    if found.keys() & {2, 100} and found.keys() <= _CAFFE.keys() and _fits(found, _CAFFE):
        from npukit_cli.inspection.caffe import describe_caffemodel

        return describe_caffemodel(data, path)
    raise ConfigError("a file of an unknown kind", where=str(path), hint=_KINDS)


def _describe_text(text: str, path: Path) -> Description:
    if _AIPP.search(text):
        from npukit_cli.inspection.aipp import describe_aipp

        return describe_aipp(text, path)
    if _PROTOTXT.search(text):
        from npukit_cli.inspection.caffe import describe_prototxt

        return describe_prototxt(text, path)
    if path.name in ("skill.yaml", "skill.json"):
        from npukit_cli.inspection.skill import describe_skill

        return describe_skill(path.parent)
    raise ConfigError("a text of an unknown kind", where=str(path), hint=_KINDS)


def _as_text(data: bytes) -> str | None:
    if not data or b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return text if all(sign.isprintable() or sign in "\t\r\n\f\v" for sign in text) else None


def _fits(found: Mapping[int, int], known: Mapping[int, tuple[int, ...]]) -> bool:
    return all(found[number] in wires for number, wires in known.items() if number in found)


def _top_level(view: memoryview) -> dict[int, int]:
    """Number and wire type of the fields at the top, as far as the bytes are a protobuf message.

    A field that is cut short counts: the file's own reader says what is wrong with it.
    """
    found: dict[int, int] = {}
    at = 0
    while at < len(view):
        try:
            key, at = wire.read_varint(view, at)
            size = {wire.FIXED64: 8, wire.FIXED32: 4}.get(key & 7, 0)
            if key & 7 in (wire.VARINT, wire.BYTES):
                value, at = wire.read_varint(view, at)
                size = value if key & 7 == wire.BYTES else 0
        except wire.WireError:
            break
        if key & 7 not in (wire.VARINT, wire.FIXED64, wire.BYTES, wire.FIXED32) or key < 8:
            break
        found[key >> 3] = key & 7
        at += size
    return found
