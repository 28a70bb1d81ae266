"""`npukit run`: a skill on the simulated board."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit.errors import ConfigError
from npukit_cli.commands._options import Json
from npukit_cli.skills import complete_skill


def run(
    skill: Annotated[
        str,
        typer.Argument(
            help="Name of a skill, its folder, or a HiLens script.py.",
            autocompletion=complete_skill,
        ),
    ],
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--camera",
            "-c",
            metavar="SOURCE",
            help="Video, picture, folder of pictures, camera:0, rtsp://HOST/PATH, or "
            "pattern:1280x720. May be repeated: each source is run in turn. Default: the "
            "skill's own. Of a script: every VideoCapture.",
        ),
    ] = None,
    display: Annotated[
        list[str] | None,
        typer.Option(
            "--display",
            "-d",
            metavar="SINK",
            help="File.mp4, folder/ for pictures, or null. May be repeated: every sink gets "
            "every frame. {name} stands for the source's name. Default: the skill's own. Of a "
            "script: every Display.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter of the skill."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="CPU threads of the simulated NPU; results stay the same.")
    ] = 1,
    pace: Annotated[
        str | None,
        typer.Option(
            metavar="estimate[:BOARD]",
            help="Let each inference take as long as npukit estimate says for that board; "
            "default: the skill's first besides the simulator.",
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            metavar="VIDEO", help="Exact alpha (luma 0..255) to measure the skill's alpha against."
        ),
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Write a page with pictures.")
    ] = None,
    check_value: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="For a script: what the console expects in init()."),
    ] = None,
    json: Json = False,
) -> int:
    """Run a skill, or an unmodified HiLens script, on the simulated board.

    Example: npukit run portrait_matting --camera me.mp4 --display out.mp4 --set mirror=true
    """  # fmt: skip
    if skill.endswith(".py"):
        from npukit_cli.scripting import run_script, script_options

        settings = script_options(
            camera or (), display or (), check_value, threads,
            refused={"--set": parameter, "--pace": pace, "--truth": truth, "--report": report},
        )  # fmt: skip
        return run_script(skill, settings, json)
    from npukit_cli.running import Order, execute

    if check_value is not None:
        raise ConfigError("--check-value is for scripts: a skill's is in its manifest")

    return execute(
        Order(
            skill=skill,
            cameras=tuple(camera or ()),
            displays=tuple(display or ()),
            parameters=tuple(parameter or ()),
            threads=threads,
            pace=pace,
            truth=truth,
            report=report,
            json=json,
        )
    )
