"""What the compilers take, as data: `operators/*.json`, one file per compiler and model format.

A target names its tables (`Target.operators`), oldest first. Like the profiles, a table is
checked whole before it is returned, and names its sources.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from npukit.errors import ConfigError, check_keys, did_you_mean

_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators")
_KEYS = ("name", "title", "route", "compiler", "opset", "operators", "limits", "instead", "notes")
_SUBJECTS = ("attribute", "rank", "width", "kernel", "constant")
SEVERITIES = ("unsupported", "limited")


@dataclass(frozen=True)
class Limit:
    """What one operator must keep to.

    Attributes:
        operator: that it is about.
        of: what is looked at: `attribute NAME`, `rank` or `width` of the first input, `kernel`
            (height and width of the weights) or `constant INDEX` (an input that must be known).
        within: the smallest and the largest number allowed; None for no such limit.
        one_of: the texts or numbers allowed; empty for no such limit.
        default: what an attribute is that is not given.
        when: the limit holds only where these attributes have these values.
        severity: `unsupported`, or `limited` where it may work.
        remedy: what to do.
        source: citation.
    """

    operator: str
    of: str
    within: Optional[Tuple[float, float]]
    one_of: Tuple[Any, ...]
    default: Any
    when: Mapping[str, Any]
    severity: str
    remedy: str
    source: str


@dataclass(frozen=True)
class OperatorTable:
    """The operators that one compiler takes in one model format.

    Attributes:
        name: file stem.
        title: compiler, version and format, for people.
        route: `caffe` or `onnx`.
        compiler: `omg` or `atc`.
        opset: the lowest and highest version of ONNX's operator set; None for Caffe.
        operators: names, of ONNX's operators or Caffe's layer types.
        source: citation of the list.
        limits: of single operators; those of Caffe's layers are in the converter's profile.
        instead: operator that is not taken to what does its work.
        notes: what the table does not say.
    """

    name: str
    title: str
    route: str
    compiler: str
    opset: Optional[Tuple[int, int]]
    operators: Tuple[str, ...]
    source: str
    limits: Tuple[Limit, ...]
    instead: Mapping[str, str]
    notes: Tuple[str, ...]


def operator_tables() -> Tuple[str, ...]:
    """Names of all tables, sorted."""
    parts = map(os.path.splitext, os.listdir(_HERE))
    return tuple(sorted(stem for stem, suffix in parts if suffix == ".json"))


def load_operators(name: str) -> OperatorTable:
    """Read and check `operators/NAME.json`.

    Raises:
        ConfigError: there is no such table, or its file is wrong; names file and key.
    """
    if name not in operator_tables():
        raise ConfigError(
            "unknown operator table {!r}".format(name), hint=did_you_mean(name, operator_tables())
        )
    where = "operators/{}.json".format(name)
    with open(os.path.join(_HERE, name + ".json"), encoding="utf-8") as file:
        try:
            data = json.load(file)
        except ValueError as error:
            raise ConfigError("not valid JSON: {}".format(error), where=where) from error
    _check(data, (*_KEYS, "source"), where)
    operators = _texts(data["operators"], "operators", where)
    if not operators or list(operators) != sorted(set(operators)):
        raise ConfigError("'operators' must be sorted, each name once", where=where)
    return OperatorTable(
        name=_one_of(data, "name", (name,), where),
        title=_text(data, "title", where),
        route=_one_of(data, "route", ("caffe", "onnx"), where),
        compiler=_one_of(data, "compiler", ("omg", "atc"), where),
        opset=_opset(data, where),
        operators=operators,
        source=_text(data, "source", where),
        limits=_limits(data["limits"], operators, where),
        instead=_instead(data["instead"], operators, where),
        notes=_texts(data["notes"], "notes", where),
    )


def _limits(data: Any, operators: Tuple[str, ...], where: str) -> Tuple[Limit, ...]:
    if not isinstance(data, list):
        raise ConfigError("'limits' must be a list", where=where)
    found: List[Limit] = []
    for place, item in enumerate(data):
        here = "{}: limits[{}]".format(where, place)
        keys = ("operator", "of", "severity", "remedy", "source")
        _check(item, (*keys, "within", "one_of", "default", "when"), here, required=keys)
        subject = _text(item, "of", here)
        kind = subject.partition(" ")[0]
        given = ("within" in item) + ("one_of" in item)
        if given != (0 if kind == "constant" else 1):
            raise ConfigError("needs either 'within' or 'one_of'", where=here)
        if kind not in _SUBJECTS:
            raise ConfigError(
                "unknown subject {!r}".format(subject), where=here,
                hint=did_you_mean(kind, _SUBJECTS),
            )  # fmt: skip
        within = item.get("within")
        if within is not None and not (
            isinstance(within, list)
            and len(within) == 2
            and all(isinstance(side, (int, float)) for side in within)
            and within[0] <= within[1]
        ):
            raise ConfigError("'within' must be two numbers, the smaller first", where=here)
        found.append(
            Limit(
                operator=_one_of(item, "operator", operators, here),
                of=subject,
                within=None if within is None else (within[0], within[1]),
                one_of=tuple(item.get("one_of") or ()),
                default=item.get("default"),
                when=dict(item.get("when") or {}),
                severity=_one_of(item, "severity", SEVERITIES, here),
                remedy=_text(item, "remedy", here),
                source=_text(item, "source", here),
            )
        )
    return tuple(found)


def _instead(data: Any, operators: Tuple[str, ...], where: str) -> Mapping[str, str]:
    if not isinstance(data, dict):
        raise ConfigError("'instead' must be an object", where=where)
    for name in data:
        _text(data, name, where + ": instead")
        if name in operators:
            raise ConfigError("instead: {!r} is in the table".format(name), where=where)
    return dict(data)


def _opset(data: Mapping[str, Any], where: str) -> Optional[Tuple[int, int]]:
    opset = data["opset"]
    if (opset is None) != (data["route"] == "caffe"):
        raise ConfigError("'opset' is for the route onnx, and needed there", where=where)
    if opset is None:
        return None
    if not (isinstance(opset, list) and len(opset) == 2 and all(type(n) is int for n in opset)):
        raise ConfigError("'opset' must be two whole numbers", where=where)
    return opset[0], opset[1]


def _check(data: Any, keys: Tuple[str, ...], where: str, required: Any = None) -> None:
    if not isinstance(data, dict):
        raise ConfigError("must be an object", where=where)
    check_keys(data, keys, where, keys if required is None else required)


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    text = data[key]
    if not isinstance(text, str) or not text:
        raise ConfigError("{!r} must be a text".format(key), where=where)
    return text


def _one_of(data: Mapping[str, Any], key: str, known: Tuple[str, ...], where: str) -> str:
    text = _text(data, key, where)
    if text not in known:
        raise ConfigError(
            "unknown {} {!r}".format(key, text), where=where, hint=did_you_mean(text, known)
        )
    return text


def _texts(data: Any, key: str, where: str) -> Tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(item, str) and item for item in data):
        raise ConfigError("{!r} must be a list of texts".format(key), where=where)
    return tuple(data)
