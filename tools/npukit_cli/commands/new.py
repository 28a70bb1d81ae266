"""`npukit new`: a skill from a template."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json


def new(
    name: Annotated[str, typer.Argument(help="Of the skill: a Python identifier.")],
    style: Annotated[
        str,
        typer.Option(metavar="native|hilens", help="npukit's API, or the HiLens Kit's own."),
    ] = "native",
    folder: Annotated[
        str | None, typer.Option("--in", metavar="FOLDER", help="Where to put it. Default: here.")
    ] = None,
    json: Json = False,
) -> int:
    """Start a skill that runs, converts and passes its own tests at once.

    Example: npukit new my_skill --style hilens
    """
    from pathlib import Path

    from npukit_cli import output
    from npukit_cli.scaffolding import scaffold

    made = scaffold(name, style, Path(folder or "."))
    start = "npukit run ." if style == "native" else "npukit run main.py --display out.mp4"
    if json:
        output.as_json({"skill": name, "style": style, "folder": str(made)})
    else:
        output.result(f"{made} is ready. Next:\n  cd {made}\n  {start}\n  python -m pytest")
    return 0
