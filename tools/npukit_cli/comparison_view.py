"""A comparison of two models, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from npukit_cli import output
from npukit_convert.compare import Compared, Comparison

COLUMNS = ("max abs", "mean abs", "cosine", "SNR dB")


def tell(summary: Mapping[str, Any], result: Comparison, with_layers: bool) -> None:
    """Print the tables, what was assumed, and the verdict."""
    for note in summary["notes"]:
        output.say(f"note: {note}")
    for title, side in (("reference", "one"), ("measured", "other")):
        output.result(f"{title}: {summary[side]['model']} ({summary[side]['engine']})")
    output.result(f"input: {summary['input']} ({cases(result)})")
    output.table(
        "outputs",
        ("output", "of the other", "shape", *COLUMNS, "verdict"),
        [_row(item, "too far" if item.past else "ok") for item in result.outputs],
    )
    first = result.first_past
    if with_layers:
        output.table(
            f"layers: {len(result.layers)} of both models, in the order of execution",
            ("layer", "of the other", "shape", *COLUMNS, ""),
            [
                _row(item, "<- first" if item is first else "past" if item.past else "")
                for item in result.layers
            ],
        )
    if with_layers or "page" in summary:
        output.result(layer_summary(result))
    limits = result.thresholds
    allowed = f"max abs {limits.max_abs:g}, cosine {limits.cosine:g}"
    output.result(f"{'too far apart' if result.past else 'within'}: {allowed} allowed")
    if "page" in summary:
        output.result(f"page: {summary['page']}")


def cases(result: Comparison) -> str:
    """The cases in few words."""
    if len(result.cases) <= 4:
        return ", ".join(result.cases)
    return f"{len(result.cases)} cases, {result.cases[0]} to {result.cases[-1]}"


def layer_summary(result: Comparison) -> str:
    """Where the models part, in a sentence, and what could not be compared."""
    first = result.first_past
    if not result.layers:
        text = "no layer of one model was found in the other"
    elif first is None:
        text = "no layer is past the thresholds"
    else:
        text = f"the first layer past the thresholds: {first.one} ({first.other} in the other)"
    alone = [len(side) for side in result.unpaired]
    return f"{text}; without a partner: {alone[0]} and {alone[1]}"


def figures(item: Compared) -> Sequence[str]:
    """The figures of a row, in the order of COLUMNS."""
    found = item.figures
    if found.not_finite:
        return ("not finite", "-", "-", "-")
    return (
        f"{found.max_abs:.2e}",
        f"{found.mean_abs:.2e}",
        f"{found.cosine:.6f}",
        f"{found.snr_db:.1f}",
    )


def _row(item: Compared, mark: str) -> tuple[str, ...]:
    shape = "x".join(map(str, item.shape))
    other = "same" if item.other == item.one else item.other
    return (item.one, other, shape, *figures(item), mark)
