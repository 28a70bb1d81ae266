"""What `lint` and `estimate` both take."""

from __future__ import annotations

from typing import Annotated

import typer

NetworkFile = typer.Argument(
    help="model.onnx, convert.yaml, a simulator build, or net.py:build (torch)."
)
Precision = Annotated[
    str, typer.Option("--precision", metavar="fp16|int8", help="That the board computes in.")
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="NAME=1,3,H,W",
        help="Of an input that the model does not fix. May be repeated.",
    ),
]
