"""AIPP configurations: the vendor's preprocessing, as its fields and what the compiler refuses."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any

from npukit.aipp import AippOp, parse, violations
from npukit_cli.inspection.description import Description


def describe_aipp(text: str, path: Path) -> Description:
    """Describe a configuration.

    Raises:
        AippError: it is not in Ascend's grammar; names line and column.
    """
    config = parse(text, str(path))
    return Description(
        kind="AIPP configuration",
        file=str(path),
        bytes=path.stat().st_size,
        target="Ascend",
        aipp={_input(op, place): _fields(op) for place, op in enumerate(config.aipp_op)},
        text=text,
        notes=tuple(f"the compiler refuses it: {one}" for one in violations(config)),
    )


def _input(op: AippOp, place: int) -> str:
    if op.related_input_name:
        return op.related_input_name
    return f"input {place if op.related_input_rank is None else op.related_input_rank}"


def _fields(op: AippOp) -> dict[str, Any]:
    return {
        name: value.name if isinstance(value, IntEnum) else value
        for name, value in op.given().items()
    }
