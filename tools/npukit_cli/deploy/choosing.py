"""Which bundle goes to a board: that of the first way to run the skill that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from npukit.errors import ConfigError, ModelError
from npukit.profiles import load_board
from npukit_cli.deploy.bundle import Bundle
from npukit_cli.deploy.onboard.contents import version_key
from npukit_cli.deploy.packing import Cargo, Packed
from npukit_cli.deploy.problems import BoardSkipped

_RUNTIME_MEMORY = 128 << 20  # bytes: Python, numpy, OpenCV and some frames


@dataclass(frozen=True)
class Wish:
    """What to flash.

    Attributes:
        skill: its folder, or a bundle made by `npukit bundle`.
        parameters: of the skill, by name, as values or text.
        capture: source, in place of the skill's own for the board.
        displays: sinks, in place of the skill's own.
        frames, seconds: how many frames it must process in which time.
        keep: how many releases stay on the board.
        signer: private key to sign with.
        board: name of the profile, for a board that does not say what it is.
    """

    skill: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    capture: str | None = None
    displays: tuple[str, ...] = ()
    frames: int = 10
    seconds: float = 60.0
    keep: int = 3
    signer: Path | None = None
    board: str | None = None

    def run(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What NPUKIT_RUN holds on the board."""
        asked = {
            "parameters": dict(parameters),
            "capture": self.capture,
            "displays": list(self.displays),
        }
        return {key: value for key, value in asked.items() if value}


class Choice(NamedTuple):
    """What goes to a board.

    Attributes:
        packed: the bundle.
        parameters: that it is to run with, where they are not the defaults.
        notice: where the board made a parameter differ from its default; else "".
    """

    packed: Packed
    parameters: Mapping[str, Any]
    notice: str = ""


def choose(wish: Wish, facts: Mapping[str, Any], cargo: Cargo) -> Choice:
    """The bundle with the models for this board.

    A parameter that selects a model and is not given takes its default if that model fits
    (there is a file for the target, and memory enough), else the first choice that does.

    Args:
        wish: what to flash.
        facts: what the board says of itself, see `onboard.facts`.
        cargo: of the wish's skill.

    Raises:
        BoardSkipped: the reason why nothing fits.
    """
    board = _board(wish, facts)
    first: BoardSkipped | None = None
    defaults: Mapping[str, Any] | None = None
    for settings in cargo.ways(wish.parameters):
        defaults = settings if defaults is None else defaults
        try:
            packed = _fitting(cargo, board, settings, facts)
        except BoardSkipped as error:
            first = first or error
            continue
        changed = [name for name in settings if settings[name] != defaults[name]]
        parameters = {name: settings[name] for name in (*wish.parameters, *changed)}
        said = ", ".join(f"{name}={settings[name]}" for name in changed)
        notice = f"runs with {said}, because by default it {first}" if changed else ""
        return Choice(packed, parameters, notice)
    raise first or BoardSkipped("there is no way to run it")


def needs(bundle: Bundle) -> dict[str, int]:
    """Bytes that the board must have free before it is sent: on its disk, and in its memory."""
    unpacked = sum(item["size"] for item in bundle.manifest["files"].values())
    return {
        "disk": 3 * unpacked,  # its pieces, the bundle that they are put together to, the release
        "memory": int(bundle.manifest["requires"]["memory"]) + _RUNTIME_MEMORY,
    }


def _board(wish: Wish, facts: Mapping[str, Any]) -> str:
    name = wish.board or facts["board"]
    if name is None:
        raise BoardSkipped(
            "the board does not say what it is", hint="--board NAME, see `npukit targets`"
        )
    if wish.board and facts["board"] and wish.board != facts["board"]:
        raise BoardSkipped(f"the board is {facts['board']}, not {wish.board}")
    load_board(name)
    return str(name)


def _fitting(
    cargo: Cargo, board: str, settings: Mapping[str, Any], facts: Mapping[str, Any]
) -> Packed:
    try:
        packed = cargo.packed(board, settings)
    except (ConfigError, ModelError) as error:
        raise BoardSkipped(
            f"does not fit {board}: {error.message}", where=error.where, hint=error.hint
        ) from error
    required = packed.bundle.manifest["requires"]
    if version_key(required["python"]) > version_key(facts["python"]):
        raise BoardSkipped(f"needs Python {required['python']}, the board has {facts['python']}")
    needed, memory = needs(packed.bundle)["memory"], facts["memory"]
    if memory is not None and needed > memory:
        raise BoardSkipped(
            f"needs about {needed >> 20} MB of memory, the board has {memory >> 20} MB"
        )
    return packed
