"""AIPP configurations as text: protobuf's text format of `domi.InsertNewOps`, read and written."""

from __future__ import annotations

from typing import Any, List, Mapping

import numpy as np

from npukit.aipp.config import AippConfig
from npukit.aipp.errors import AippSyntaxError
from npukit.aipp.parser import Parser
from npukit.aipp.schema import FieldSpec, Message, schema
from npukit.errors import AippError
from npukit.files import replacing


def parse(text: str, file: str = "") -> AippConfig:
    """Read a configuration.

    Args:
        text: in the vendor's format.
        file: its name, for messages.

    Raises:
        AippSyntaxError: names line, column and, for an unknown field, the nearest known one.
        AippDialectError: the text is in one of the two other AIPP grammars.
    """
    return Parser(text, file).whole()


def read_config(path: str) -> AippConfig:
    """Read a file; see `parse`.

    Raises:
        AippError: the file cannot be read, or is not a configuration.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise AippError("cannot be read: {}".format(error.strerror), where=path) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise AippSyntaxError(
            "not UTF-8 text: byte 0x{:02x}".format(content[error.start]), line, column, file=path
        ) from error
    return parse(text, path)


def to_text(config: AippConfig, comment: str = "", notes: Mapping[str, str] = {}) -> str:
    """Write a configuration; `parse` reads the same from it.

    Args:
        config: what to write; fields that are not given are left out.
        comment: lines for the head of the file.
        notes: a comment by the name of the field that it goes before.
    """
    lines = ["# {}".format(line).rstrip() for line in comment.splitlines()]
    _print(config, "", notes, lines)
    return "".join(line + "\n" for line in lines)


def write_config(path: str, config: AippConfig, comment: str = "") -> None:
    """Write a file; an older one stays whole until the new one is complete."""
    text = to_text(config, comment)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _print(message: Message, indent: str, notes: Mapping[str, str], lines: List[str]) -> None:
    for name, spec in schema(type(message)).items():
        value = getattr(message, name)
        items = value if spec.repeated else () if value is None else (value,)
        for item in items:
            if name in notes:
                lines.append("{}# {}".format(indent, notes[name]))
            if spec.kind == "message":
                lines.append("{}{} {{".format(indent, name))
                _print(item, indent + "  ", notes, lines)
                lines.append(indent + "}")
            else:
                lines.append("{}{}: {}".format(indent, name, _scalar_text(spec, item)))


def _scalar_text(spec: FieldSpec, value: Any) -> str:
    if spec.kind == "bool":
        return "true" if value else "false"
    if spec.kind == "float":
        # The shortest decimal number that is this float32.
        return np.format_float_positional(np.float32(value), trim="-")
    if spec.kind == "enum":
        return str(value.name)
    if spec.kind == "string":
        return '"{}"'.format("".join(_character(item) for item in value))
    return str(value)


def _character(item: str) -> str:
    if item in '"\\':
        return "\\" + item
    return item if item.isprintable() else "".join("\\%03o" % byte for byte in item.encode("utf-8"))
