"""`npukit convert`: a trained model into what a board's compiler takes, each step verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

_LIBRARIES = ("torch", "onnx", "onnx_ir", "onnxsim", "safetensors")


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
    route: Annotated[
        str | None, typer.Option(metavar="FORM", help="What the compiler is given: onnx or caffe.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="CHIP", help="A chip of `npukit targets`.")
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

    Each key of convert.yaml is an option too, such as "verify.max_abs".
    Example: npukit convert model.onnx --route caffe --target ascend310
    """
    from npukit.errors import ConfigError

    options = {"model.weights": weights, "route": route, "target": target}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        _convert(source, context.args, given, out, dry_run, save_config, json)
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        raise ConfigError(
            f"{error.name} is not installed", hint="pip install 'npukit[torch]'"
        ) from error
    return 0


def _convert(
    source: str,
    options: Sequence[str],
    given: Mapping[str, Any],
    out: str,
    dry_run: bool,
    save_config: str | None,
    json: bool,
) -> None:
    from pathlib import Path

    from npukit_cli import converting, output
    from npukit_convert.request import moved, parse_overrides, read_request

    request = read_request(source, {**parse_overrides(options), **given})
    if save_config is not None:
        converting.save(Path(save_config), moved(request, Path(save_config).parent))
        output.say(f"config: {save_config}")
    elif dry_run:
        converting.tell_plan(request, Path(out), json)
    else:
        made, files = converting.run(request, Path(out), quiet=json)
        converting.tell(made, files, json)
