"""`npukit lint`: what a compiler refuses in a network, and what makes it slow."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._network_options import NetworkFile, Precision, Shapes
from npukit_cli.commands._options import Json


def _complete_target(incomplete: str) -> list[str]:
    from npukit import profiles

    return [name for name in profiles.targets() if name.startswith(incomplete)]


def lint(
    model: Annotated[str, NetworkFile],
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="The chip, of npukit targets. Default: that of convert.yaml.",
            autocompletion=_complete_target,
        ),
    ] = None,
    route: Annotated[
        str | None,
        typer.Option(
            metavar="onnx|caffe",
            help="What the compiler gets. Default: that of convert.yaml, else onnx.",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The compiler's list of operators, as npukit targets names it. Default: the "
            "newest.",
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(metavar="BOARD", help="That times are estimated for. Default: a fitting one."),
    ] = None,
    precision: Precision = "fp16",
    content: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT", help="Of the pictures. Default: what the board's camera gives."
        ),
    ] = None,
    shape: Shapes = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show advice that saves less than 1 % too.")
    ] = False,
    json: Json = False,
) -> int:
    """Check a network for a chip; exit code 1 when its compiler would refuse an operator.

    Example: npukit lint model.onnx --target ascend310 --route caffe
    """
    from npukit_cli.linting import Order, execute

    return execute(
        Order(
            model=model,
            target=target,
            route=route,
            table=table,
            board=board,
            precision=precision,
            content=content,
            shapes=tuple(shape or ()),
            all=everything,
            json=json,
        )
    )
