"""AIPP configurations: the vendor's preprocessing, as text."""

from __future__ import annotations

from pathlib import Path

from npukit_cli.inspection.description import Description


def describe_aipp(text: str, path: Path) -> Description:
    """Describe a configuration."""
    return Description(
        kind="AIPP configuration",
        file=str(path),
        bytes=path.stat().st_size,
        target="Ascend",
        aipp=_fields(text),
        text=text,
        notes=("shown as it is: its fields are not checked",),
    )


def _fields(text: str) -> dict[str, dict[str, object]] | None:  # noqa: ARG001
    """The fields of each operator, where there is a parser for them."""
    return None
