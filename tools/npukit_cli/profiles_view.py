"""Targets and boards as tables or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from npukit.errors import ConfigError, did_you_mean
from npukit.profiles import (
    Board,
    Figure,
    Target,
    boards,
    load_board,
    load_target,
    targets,
)
from npukit_cli import output


def show_all(as_json: bool) -> None:
    """All targets and boards with their main figures."""
    chips = [load_target(name) for name in targets()]
    kits = [load_board(name) for name in boards()]
    if as_json:
        output.as_json({"targets": [asdict(chip) for chip in chips],
                        "boards": [asdict(kit) for kit in kits]})  # fmt: skip
        return
    output.table(
        "Targets (chips a model is converted for)",
        ("name", "title", "peak", "from", "offline model"),
        [
            (chip.name, chip.title, _peaks(chip.peak), ", ".join(chip.routes) or "-",
             _text(chip.suffix))
            for chip in chips
        ],
    )  # fmt: skip
    output.table(
        "Boards",
        ("name", "title", "target", "peak", "memory", "Python"),
        [
            (
                kit.name,
                kit.title,
                kit.target,
                _peaks(kit.peak),
                _text(kit.memory),
                _text(kit.python),
            )
            for kit in kits
        ],
    )
    output.result("npukit targets NAME shows every figure with its source")


def show_one(name: str, as_json: bool) -> None:
    """Every figure of a target or board, with its source.

    Raises:
        ConfigError: neither a target nor a board.
    """
    found = _find(name)
    if as_json:
        output.as_json({kind: asdict(profile) for kind, profile in found.items()})
        return
    for kind, profile in found.items():
        rows = [(key, _text(figure), figure.source) for key, figure in figures(profile)]
        output.table(f"{profile.title} ({kind} {name})", ("figure", "value", "source"), rows)
        for note in profile.notes:
            output.result(f"note: {note}")


def figures(profile: Any, prefix: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure of a profile, by its dotted name."""
    for field in fields(profile):
        value, key = getattr(profile, field.name), prefix + field.name
        if isinstance(value, Figure):
            yield key, value
        elif is_dataclass(value):
            yield from figures(value, key + ".")
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", item) for inner, item in value.items())


def _find(name: str) -> dict[str, Target | Board]:
    """The target and the board of this name; `simulator` is both."""
    found: dict[str, Target | Board] = {}
    if name in targets():
        found["target"] = load_target(name)
    if name in boards():
        found["board"] = load_board(name)
    if not found:
        raise ConfigError(
            f"no target or board {name!r}", hint=did_you_mean(name, (*targets(), *boards()))
        )
    return found


def _peaks(peak: Any) -> str:
    return ", ".join(f"{key} {_text(figure)}" for key, figure in peak.items()) or "-"


def _text(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    if not isinstance(figure.value, tuple):
        return _with_unit(str(figure.value), figure.unit)
    if all(isinstance(item, (int, float)) for item in figure.value):
        return _with_unit("..".join(str(item) for item in figure.value), figure.unit)
    return ", ".join(str(item) for item in figure.value)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit in ("GiB", "GB/s", "TFLOPS", "TOPS", "px", "Hz", "B") else text
