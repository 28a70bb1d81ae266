"""Protobuf messages as frozen dataclasses: the description of a field, and the check of values.

A field that is not given is None, a repeated one is (); so text keeps what its author wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from functools import lru_cache
from typing import Any, Dict, Mapping, NamedTuple, Type, TypeVar

import numpy as np

from npukit.errors import AippError, did_you_mean

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
_ZERO: Mapping[str, Any] = {"bool": False, "int32": 0, "uint32": 0, "float": 0.0, "string": ""}

M = TypeVar("M", bound="Message")


class FieldSpec(NamedTuple):
    """A field of a message.

    Attributes:
        number: in the vendor's schema.
        kind: bool, int32, uint32, float, string, enum or message.
        repeated: whether it may be given several times.
        type: of an enum or message.
    """

    number: int
    kind: str
    repeated: bool = False
    type: Any = None


def one(number: int, kind: str, type_: Any = None) -> Any:
    """Declare a singular field."""
    return field(default=None, metadata={"schema": FieldSpec(number, kind, False, type_)})


def many(number: int, kind: str, type_: Any = None) -> Any:
    """Declare a repeated field."""
    return field(default=(), metadata={"schema": FieldSpec(number, kind, True, type_)})


def schema(message: Type[Message]) -> Mapping[str, FieldSpec]:
    """The fields of a message by name, in the order in which they are printed."""
    key: Any = message  # mypy takes a class of dataclasses for unhashable
    return _schema(key)


@lru_cache(maxsize=None)
def _schema(message: Any) -> Mapping[str, FieldSpec]:
    return {item.name: item.metadata["schema"] for item in fields(message)}


@dataclass(frozen=True)
class Message:
    """Base of the messages; every value is checked and brought to its type."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            AippError: a value that is not of its field's type.
        """
        for name, spec in schema(type(self)).items():
            value = getattr(self, name)
            if spec.repeated:
                checked: Any = tuple(checked_value(name, spec, item) for item in value)
            else:
                checked = None if value is None else checked_value(name, spec, value)
            object.__setattr__(self, name, checked)

    def get(self, name: str) -> Any:
        """The value as the compiler reads it.

        Of a singular field that is not given, the zero of its type; of a repeated one, its first
        value or None.
        """
        spec, value = schema(type(self))[name], getattr(self, name)
        if spec.repeated:
            return value[0] if value else None
        if value is None:
            return spec.type(0) if spec.kind == "enum" else _ZERO[spec.kind]
        return value

    def given(self) -> Dict[str, Any]:
        """The fields that are given."""
        values = {name: getattr(self, name) for name in schema(type(self))}
        return {name: value for name, value in values.items() if value not in (None, ())}


def checked_value(name: str, spec: FieldSpec, value: Any) -> Any:
    """A value brought to its field's type; a float becomes the nearest float32.

    Raises:
        AippError: it is not of that type.
    """
    if spec.kind == "bool":
        good = isinstance(value, bool)
    elif spec.kind in _INTEGERS:
        low, high = _INTEGERS[spec.kind]
        good = _is_integer(value) and low <= value <= high
    elif spec.kind == "float":
        return _float32(name, value)
    elif spec.kind == "string":
        good = isinstance(value, str) and _is_utf8(value)
    elif spec.kind == "enum":
        return _member(name, spec.type, value)
    else:
        good = isinstance(value, spec.type)
    if not good:
        raise AippError("{} takes {}, not {!r}".format(name, _words(spec), value))
    return value


def _member(name: str, kind: Type[IntEnum], value: Any) -> IntEnum:
    known = [member.name for member in kind]
    if isinstance(value, str) and value in known:
        return kind[value]
    if _is_integer(value) and value in list(kind):
        return kind(value)
    raise AippError(
        "{} has no value {!r}".format(name, value), hint=did_you_mean(str(value), known)
    )


def _float32(name: str, value: Any) -> float:
    if isinstance(value, float) or _is_integer(value):
        with np.errstate(over="ignore"):
            try:
                number = float(np.float32(value))
            except OverflowError:
                number = float("inf")
        if abs(number) < float("inf"):
            return number
    raise AippError("{} takes a finite number of 32 bits, not {!r}".format(name, value))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_utf8(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _words(spec: FieldSpec) -> str:
    if spec.kind in _INTEGERS:
        return "an integer in [{}, {}]".format(*_INTEGERS[spec.kind])
    if spec.kind == "message":
        return "a {}".format(spec.type.__name__)
    return {"bool": "true or false", "string": "text"}[spec.kind]
