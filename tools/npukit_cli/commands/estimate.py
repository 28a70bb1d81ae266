"""`npukit estimate`: how long a network takes on a board, without the board."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._network_options import NetworkFile, Precision, Shapes
from npukit_cli.commands._options import Json


def _complete_board(incomplete: str) -> list[str]:
    from npukit_cli.pacing import known_boards

    return [name for name in known_boards() if name.startswith(incomplete)]


def estimate(
    model: Annotated[str | None, NetworkFile] = None,
    board: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD",
            help="hilens_kit, atlas_200dk or orangepi_aipro.",
            autocompletion=_complete_board,
        ),
    ] = None,
    precision: Precision = "fp16",
    route: Annotated[
        str | None,
        typer.Option(
            metavar="onnx|caffe",
            help="What the compiler gets. Default: what the board's compiler reads.",
        ),
    ] = None,
    shape: Shapes = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Show every layer, in the order of execution.")
    ] = False,
    published: Annotated[
        bool,
        typer.Option("--published", help="Show the estimate's error against published times."),
    ] = False,
    json: Json = False,
) -> int:
    """Estimate latency and memory of a network on a board, layer by layer.

    Example: npukit estimate model.onnx --board hilens_kit
    """
    from npukit_cli.estimating import Order, execute

    return execute(
        Order(
            model=model,
            board=board,
            precision=precision,
            route=route,
            shapes=tuple(shape or ()),
            layers=layers,
            published=published,
            json=json,
        )
    )
