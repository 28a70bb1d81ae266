"""The manifest of a bundle, `bundle.json`: its fields, and the strict reading of them."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Mapping, Tuple

from .errors import BundleError
from .names import check_names, check_word

FORMAT = 1
MANIFEST, SIGNATURE = "bundle.json", "bundle.json.sig"
MAX_MANIFEST, MAX_SIGNATURE = 4 << 20, 64 << 10  # bytes
MAX_FILES, MAX_BYTES = 10000, 4 << 30
# Field -> type. Sizes and memory are in bytes.
FIELDS: Mapping[str, type] = {
    "format": int,
    "name": str,
    "version": str,
    "title": str,
    "board": str,
    "target": str,
    "runtime": str,
    "npukit": str,
    "entry": str,
    "requires": dict,
    "models": dict,
    "files": dict,
}
REQUIRES: Mapping[str, type] = {"python": str, "firmware": str, "memory": int}
_FILE: Mapping[str, type] = {"size": int, "sha256": str, "executable": bool}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,5}")
_LONGEST_NUMBER = 18  # digits


def parse_manifest(text: bytes) -> Dict[str, Any]:
    """Read and check the bytes of `bundle.json`.

    Raises:
        BundleError: says which field is wrong.
    """
    try:
        data = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_whole_number,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError) as error:
        raise BundleError("{} cannot be read: {}".format(MANIFEST, error)) from error
    check_manifest(data)
    result: Dict[str, Any] = data
    return result


def check_manifest(data: Any) -> None:
    """Check the fields of a manifest.

    Raises:
        BundleError: says which field is wrong.
    """
    if isinstance(data, dict) and type(data.get("format")) is int and data["format"] != FORMAT:
        raise BundleError(
            "the bundle is of format {}, known is {}".format(data["format"], FORMAT),
            "update npukit where the bundle is read",
        )
    _check_fields(data, FIELDS, MANIFEST)
    for key in ("name", "version", "board", "target", "runtime"):
        check_word(data[key], "the {}".format(key))
    requires = data["requires"]
    _check_fields(requires, REQUIRES, "requires")
    if not _VERSION.fullmatch(requires["python"]):
        raise BundleError("requires: python {!a} is no version".format(requires["python"]))
    if requires["firmware"] and not _VERSION.fullmatch(requires["firmware"]):
        raise BundleError("requires: firmware {!a} is no version".format(requires["firmware"]))
    if requires["memory"] < 0:
        raise BundleError("requires: memory is negative")
    _check_files(data["files"])
    for what, file in [("the entry", data["entry"]), *data["models"].items()]:
        if not isinstance(file, str) or file not in data["files"]:
            raise BundleError("{} names {!a}, which is not in the bundle".format(what, file))


def version_key(text: str) -> Tuple[int, ...]:
    """A version as numbers, to be compared: 1.10 comes after 1.9, and 1.1.0 is 1.1."""
    numbers = [int(part) for part in text.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _check_files(files: Mapping[str, Any]) -> None:
    if not 0 < len(files) <= MAX_FILES:
        raise BundleError("{} files, allowed are 1 to {}".format(len(files), MAX_FILES))
    total = 0
    for name, item in files.items():
        _check_fields(item, _FILE, name, optional=("executable",))
        if item["size"] < 0 or not _DIGEST.fullmatch(item["sha256"]):
            raise BundleError("{!a} has a wrong size or SHA-256".format(name))
        total += item["size"]
    if total > MAX_BYTES:
        raise BundleError("the files have {} bytes, allowed are {}".format(total, MAX_BYTES))
    check_names([*files, MANIFEST, SIGNATURE])


def _check_fields(
    data: Any, known: Mapping[str, type], where: str, optional: Tuple[str, ...] = ()
) -> None:
    if not isinstance(data, dict):
        raise BundleError("{!a} is no object".format(where))
    for key in known:
        if key not in data:
            if key not in optional:
                raise BundleError("{!a}: {!a} is missing".format(where, key))
        elif type(data[key]) is not known[key]:  # True is no number
            raise BundleError("{!a}: {!a} is no {}".format(where, key, known[key].__name__))
    for key in data:
        if key not in known:
            raise BundleError("{!a}: {!a} is unknown".format(where, key))


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError("twice: {!a}".format(next(key for key in keys if keys.count(key) > 1)))
    return found


def _whole_number(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number of {} digits".format(len(text)))
    return int(text)


def _refuse(text: str) -> None:
    raise ValueError("{} is no whole number".format(text[:_LONGEST_NUMBER]))
