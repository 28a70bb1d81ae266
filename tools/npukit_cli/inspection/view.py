"""A description as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from npukit_cli import output
from npukit_cli.inspection.description import Description, Tensor


def show(found: Description) -> None:
    """Write a description to the terminal."""
    output.table(found.kind, ("", "value"), list(_facts(found)))
    for title, tensors in (("Inputs", found.inputs), ("Outputs", found.outputs)):
        if tensors:
            columns = ("name", "type", "shape", "format", "bytes")
            output.table(title, columns, [_row(tensor) for tensor in tensors])
    if found.operators:
        total = sum(found.operators.values())
        output.table(
            f"{total} operators",
            ("type", "count"),
            [(kind, str(count)) for kind, count in found.operators.items()],
        )
    for name, fields in (found.aipp or {}).items():
        output.table(f"AIPP of {name}", ("field", "value"),
                     [(key, _text(value)) for key, value in fields.items()])  # fmt: skip
    if found.parts:
        columns = ("file", "kind", "bytes", "operators", "parameters")
        output.table("Models", columns, [_part(*item) for item in found.parts.items()])
    if found.text is not None:
        output.result(found.text.rstrip())
    for note in found.notes:
        output.result(f"note: {note}")


def _facts(found: Description) -> Iterator[tuple[str, str]]:
    yield "file", found.file
    yield "size", f"{found.bytes:,} bytes"
    for label, text in (
        ("name", found.name),
        ("version", found.version),
        ("target", found.target),
        ("platform version", found.platform),
    ):
        if text:
            yield label, text
    for label, number, unit in (
        ("parameters", found.parameters, ""),
        ("weights", found.weight_bytes, " bytes"),
        ("other memory", found.memory_bytes, " bytes"),
    ):
        if number is not None:
            yield label, f"{number:,}{unit}"
    if found.aipp is not None:
        yield "AIPP", ", ".join(found.aipp) or "none"
    for label, value in found.facts.items():
        yield from _lines(label, value)


def _lines(label: str, value: Any) -> Iterator[tuple[str, str]]:
    """A row for a value; for mappings of mappings one for each of these."""
    if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
        for key, item in value.items():
            yield from _lines(f"{label} {key}", item)
    else:
        yield label, _text(value)


def _row(tensor: Tensor) -> tuple[str, ...]:
    size = "-" if tensor.nbytes is None else str(tensor.nbytes)
    return (tensor.name, tensor.dtype, "x".join(map(str, tensor.shape)) or "-",
            tensor.format or "-", size)  # fmt: skip


def _part(name: str, part: Description) -> tuple[str, ...]:
    parameters = "-" if part.parameters is None else str(part.parameters)
    return name, part.kind, str(part.bytes), str(sum(part.operators.values())), parameters


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_text, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
