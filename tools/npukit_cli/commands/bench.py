"""`npukit bench`: how fast a skill runs here, without a display, or how good its alpha is."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json
from npukit_cli.skills import complete_skill


def bench(
    skill: Annotated[
        str, typer.Argument(help="Name of a skill, or its folder.", autocompletion=complete_skill)
    ],
    camera: Annotated[
        str | None,
        typer.Option(
            "--camera",
            "-c",
            metavar="SOURCE",
            help="Video, picture, folder of pictures, or pattern:1280x720; nothing live. "
            "Default: the skill's own clip.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="NAME=VALUE", help="A parameter of the skill."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs; medians are shown.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the simulated NPU.")] = 1,
    quality: Annotated[
        bool,
        typer.Option("--quality", help="Measure alpha instead: raw, refined, smoothed, both."),
    ] = False,
    truth: Annotated[
        str | None,
        typer.Option(metavar="VIDEO", help="Exact alpha (luma 0..255) of --camera, for --quality."),
    ] = None,
    json: Json = False,
) -> int:
    """Measure a skill on the simulated board, with a null display.

    The first run is not counted. Example: npukit bench portrait_matting --rounds 7
    With --quality: MAD, MSE, gradient, connectivity, dtSSD (flicker) against an exact alpha.
    """
    from statistics import median

    from npukit.addresses import hide_password
    from npukit.errors import ConfigError
    from npukit.session import Session
    from npukit.skill import load_skill
    from npukit_cli import output
    from npukit_cli.quality_bench import measure, tell
    from npukit_cli.running import parse_parameters, require_an_end
    from npukit_cli.skills import find_skill

    given = parse_parameters(parameter or ())
    if quality:
        result = measure(skill, given, camera, truth, threads)
        output.as_json(result) if json else tell(result)
        return 0
    if truth:
        raise ConfigError("--truth is for --quality", hint="add --quality, or leave it out")
    with Session(load_skill(str(find_skill(skill)), given, threads=threads)) as session:
        manifest = session.skill.manifest
        source = camera or session.skill.capture
        shown = hide_password(source)
        require_an_end(source)
        numbers = output.counted("rounds", rounds + 1, hidden=json)
        reports = [session.run(source, ()) for _ in numbers][1:]
    for report in reports:
        if report.error is not None:
            raise report.error
        if report.interrupted:
            raise KeyboardInterrupt
    runs = [report.to_dict() for report in reports]
    summary = {
        "skill": manifest.name,
        "source": shown,
        "frames": runs[0]["frames_in"],
        "rounds": rounds,
        "threads": threads,
        "fps": median(run["fps"] for run in runs),
        "cpu_ms_per_frame": median(run["cpu_ms_per_frame"] for run in runs),
        "stages": {
            name: {
                f"p{percent}_ms": median(run["stages"][name][f"p{percent}_ms"] for run in runs)
                for percent in (50, 95, 99)
            }
            for name in runs[0]["stages"]
        },
    }
    if json:
        output.as_json(summary)
        return 0
    output.table(
        f"{manifest.name} on {shown}: {summary['fps']:.1f} frames/s, "
        f"{summary['cpu_ms_per_frame']:.2f} CPU ms/frame (medians of {rounds} rounds)",
        ("stage", "p50 ms", "p95 ms", "p99 ms"),
        [
            (name, *(f"{timing[f'p{percent}_ms']:.2f}" for percent in (50, 95, 99)))
            for name, timing in summary["stages"].items()
        ],
    )
    return 0
