"""`npukit targets`: the chips and boards that npukit knows, with the source of each figure."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json


def _complete(incomplete: str) -> list[str]:
    from npukit import profiles

    return [
        name for name in (*profiles.targets(), *profiles.boards()) if name.startswith(incomplete)
    ]


def targets(
    name: Annotated[
        str | None,
        typer.Argument(help="A target or board, for all its figures.", autocompletion=_complete),
    ] = None,
    json: Json = False,
) -> int:
    """List targets (chips) and boards, or show one with the source of each figure.

    Example: npukit targets hilens_kit
    """
    from npukit_cli import profiles_view

    if name is None:
        profiles_view.show_all(json)
    else:
        profiles_view.show_one(name, json)
    return 0
