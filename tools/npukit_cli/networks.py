"""What `lint` and `estimate` share: a network from the command line, and the board it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npukit.errors import ConfigError
from npukit.operator_tables import OperatorTable
from npukit.profiles import Board, Target, boards, load_board


def overrides(route: str | None, shapes: Sequence[str]) -> dict[str, Any]:
    """`--route` and `--shape NAME=1,3,H,W` as keys of the config.

    Raises:
        ConfigError: a shape that cannot be read, or a name given twice.
    """
    keys: dict[str, Any] = {"route": route} if route else {}
    for text in shapes:
        name, equals, sides = text.partition("=")
        try:
            shape = [int(side) for side in sides.split(",")]
        except ValueError:
            shape = []
        if not equals or not shape:
            raise ConfigError(f"--shape takes NAME=1,3,H,W, not {text!r}")
        if (key := f"inputs.{name}.shape") in keys:
            raise ConfigError(f"--shape of {name} is given twice")
        keys[key] = shape
    return keys


def board_for(target: Target, table: OperatorTable) -> Board:
    """The first board of a target whose models the table's compiler makes.

    Raises:
        ConfigError: there is none.
    """
    for board in map(load_board, boards()):
        if board.target == target.name and table.compiler in (board.compilers.value or ()):
            return board
    raise ConfigError(f"no board takes what {table.title}, makes for {target.title}")


def pixels(text: str) -> tuple[int, int]:
    """`1280x720` as width and height.

    Raises:
        ConfigError: something else.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"a size is WIDTHxHEIGHT, not {text!r}")
    return int(width), int(height)
