"""`npukit inspect`: what is in a model file, without executing it."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json


def inspect(
    file: Annotated[
        str,
        typer.Argument(
            help="Offline model (.om), simulator build, ONNX, prototxt, caffemodel, AIPP "
            "configuration, a bundle (.skill), or a skill's folder. Known by its content."
        ),
    ],
    json: Json = False,
) -> int:
    """Show inputs, preprocessing, operators and memory of a model file. Nothing is executed.

    Example: npukit inspect model.om --json
    """
    from pathlib import Path

    from npukit_cli import output
    from npukit_cli.inspection.recognise import describe
    from npukit_cli.inspection.view import show

    found = describe(Path(file))
    if json:
        output.as_json(found.to_dict())
    else:
        show(found)
    return 0
