"""`npukit run`: a skill on the simulated board."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.skills import complete_skill


def run(
    skill: Annotated[
        str, typer.Argument(help="Name of a skill, or its folder.", autocompletion=complete_skill)
    ],
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--camera",
            "-c",
            metavar="SOURCE",
            help="Video, picture, folder of pictures, or pattern:1280x720. May be repeated: "
            "each source is run in turn. Default: the skill's own.",
        ),
    ] = None,
    display: Annotated[
        list[str] | None,
        typer.Option(
            "--display",
            "-d",
            metavar="SINK",
            help="File.mp4, folder/ for pictures, or null. May be repeated: every sink gets "
            "every frame. {name} stands for the source's name. Default: the skill's own.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter of the skill."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="CPU threads of the simulated NPU; results stay the same.")
    ] = 1,
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="VIDEO", help="Exact alpha (luma 0..255) to measure the skill's alpha against."
        ),
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Write a page with pictures.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Run a skill on the simulated board.

    Example: npukit run portrait_matting --camera me.mp4 --display out.mp4 --set mirror=true
    """  # fmt: skip
    from npukit_cli.running import Order, execute

    return execute(
        Order(
            skill=skill,
            cameras=tuple(camera or ()),
            displays=tuple(display or ()),
            parameters=tuple(parameter or ()),
            threads=threads,
            truth=truth,
            report=report,
            json=json,
        )
    )
