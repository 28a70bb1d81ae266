"""`npukit convert`: a trained model into what a board's compiler takes, each step verified."""

from __future__ import annotations

from typing import Annotated

import typer


def convert(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|MODEL",
            help="convert.yaml, model.onnx, or module.py:factory.",
        ),
    ],
    out: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where the results go.")
    ] = "build/convert",
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=".safetensors, .pt, .pth or .ckpt of a torch module."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the steps and their inputs, do nothing.")
    ] = False,
    save_config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the config as it is understood, do nothing else."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the build record as JSON.")] = False,
) -> int:
    """Convert a trained model; the results are executed and compared step by step.

    Each key of convert.yaml is an option too: --route caffe --verify.max_abs 1e-5
    Example: npukit convert model.onnx --route caffe --target ascend310
    """
    from pathlib import Path

    from npukit_cli import converting, output
    from npukit_convert.config import write_config
    from npukit_convert.request import parse_overrides, read_request

    overrides = parse_overrides(context.args)
    if weights is not None:
        overrides["model.weights"] = weights
    request = read_request(source, overrides)
    if save_config is not None:
        converting.save(Path(save_config), write_config(request.config))
        output.say(f"config: {save_config}")
        return 0
    if dry_run:
        converting.tell_plan(request, Path(out), json)
        return 0
    made, files = converting.run(request, Path(out), quiet=json)
    converting.tell(made, files, json)
    return 0
