"""`npukit compare`: two models, or one before and after a conversion, on the same inputs."""

from __future__ import annotations

from typing import Annotated

import typer

from npukit_cli.commands._options import Json


def compare(
    one: Annotated[
        str,
        typer.Argument(
            help="The reference: an .onnx, a .prototxt, a simulator build, or net.py:build (torch)."
        ),
    ],
    other: Annotated[str, typer.Argument(help="What is measured against it: likewise.")],
    feed: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="FILE",
            help="Arrays (.npy, .npz by input name), a picture, a folder or a video. "
            "Default: noise, large and small, always the same.",
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, help="Of a folder or video: how many, spread evenly.")
    ] = 8,
    config: Annotated[
        str | None,
        typer.Option(
            metavar="convert.yaml",
            help="Says the inputs' shapes and how pictures are preprocessed.",
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=1,3,H,W", help="Of an input that neither model fixes. May be repeated."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help=".safetensors for torch, or a .caffemodel that does not lie beside its .prototxt. "
            "May be repeated: the first is for the first model that takes it.",
        ),
    ] = None,
    caffe_python: Annotated[
        str | None,
        typer.Option(
            metavar="PYTHON", help="An interpreter with Caffe, to be used in place of OpenCV."
        ),
    ] = None,
    max_abs: Annotated[
        float, typer.Option("--max-abs", min=0.0, help="Largest difference of an output allowed.")
    ] = 1e-4,
    cosine: Annotated[
        float, typer.Option(min=-1.0, max=1.0, help="Smallest cosine of an output allowed.")
    ] = 0.9999,
    layers: Annotated[bool, typer.Option("--layers", help="Compare every layer too.")] = False,
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="Write a page with the error of every layer."),
    ] = None,
    json: Json = False,
) -> int:
    """Compare two models, per output and per layer; exit code 1 when they are too far apart.

    Example: npukit compare net.onnx net.sim --input clip.mp4 --layers
    """
    from npukit_cli.comparing import Order, execute

    return execute(
        Order(
            models=(one, other),
            feed=feed,
            frames=frames,
            config=config,
            shapes=tuple(shape or ()),
            weights=tuple(weights or ()),
            caffe_python=caffe_python,
            max_abs=max_abs,
            cosine=cosine,
            layers=layers,
            html=html,
            json=json,
        )
    )
