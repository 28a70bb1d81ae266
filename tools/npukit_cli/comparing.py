"""What `npukit compare` does: two models opened, fed, compared, and told to the user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npukit.errors import ConfigError
from npukit_cli import output
from npukit_cli.comparison_inputs import declared, make_cases
from npukit_cli.comparison_report import write_page
from npukit_cli.comparison_view import tell
from npukit_convert.compare import compare
from npukit_convert.execute import Executor, is_caffe, is_torch, open_model
from npukit_convert.figures import Thresholds


@dataclass(frozen=True)
class Order:
    """What the user asked for; see the options of `npukit compare`."""

    models: tuple[str, str]
    feed: str | None = None
    frames: int = 8
    config: str | None = None
    shapes: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    caffe_python: str | None = None
    max_abs: float = 1e-4
    cosine: float = 0.9999
    layers: bool = False
    html: str | None = None
    json: bool = False


def execute(order: Order) -> int:
    """Compare; the exit code.

    Raises:
        NpukitError: a model cannot be opened or executed, or both do not correspond.
    """
    notes: list[str] = []
    with ExitStack() as stack:
        one, other = (stack.enter_context(model) for model in _open_both(order, notes))
        cases = make_cases(
            one, other, declared(order.config, order.shapes), order.feed, order.frames, notes
        )
        steps = output.counted("comparing", len(cases), hidden=order.json)
        result = compare(
            one,
            other,
            (cases[place] for place in steps),
            Thresholds(order.max_abs, order.cosine),
            layers=order.layers or order.html is not None,
        )
        engines = one.engine, other.engine
    summary: dict[str, Any] = {
        "one": {"model": order.models[0], "engine": engines[0]},
        "other": {"model": order.models[1], "engine": engines[1]},
        "input": order.feed or "noise",
        "notes": list(dict.fromkeys(notes)),
        **result.to_dict(),
    }
    if order.html:
        write_page(order.html, summary)
        summary["page"] = order.html
    if order.json:
        output.as_json(summary)
    else:
        tell(summary, result, with_layers=order.layers)
    return 1 if result.past else 0


def assign_weights(models: Sequence[str], files: Sequence[str]) -> list[str | None]:
    """The weights of each model: a .caffemodel to Caffe, others to torch, in order.

    A single file for two models of a kind is that of both.

    Raises:
        ConfigError: there are more files than models that take them.
    """
    given: list[str | None] = [None] * len(models)
    for kind in (is_caffe, is_torch):
        mine = [file for file in files if file.endswith(".caffemodel") == (kind is is_caffe)]
        takers = [place for place, model in enumerate(models) if kind(model)]
        if len(mine) > len(takers):
            raise ConfigError(
                f"no model takes the weights {mine[len(takers)]}",
                hint="they are for MODULE.py:FACTORY, a .caffemodel for a .prototxt",
            )
        if len(mine) == 1:
            mine *= len(takers)
        for place, file in zip(takers, mine, strict=False):
            given[place] = file
    return given


def _open_both(order: Order, notes: list[str]) -> Iterator[Executor]:
    weights = assign_weights(order.models, order.weights)
    python = Path(order.caffe_python) if order.caffe_python else None
    if python and not any(map(is_caffe, order.models)):
        raise ConfigError("--caffe-python is for a .prototxt", hint="leave it out")
    for model, file in zip(order.models, weights, strict=True):
        if is_torch(model) and file is None:
            notes.append(f"{model}: no --weights, so with the values that its factory gives")
        yield open_model(model, weights=Path(file) if file else None, caffe_python=python)
