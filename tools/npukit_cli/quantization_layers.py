"""The layers of a quantised network in the order in which they are to blame, as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npukit_convert.quantization.results import LayerResult

_SHOWN_AT_ONCE = 25
_NAMED = 3
_BARS = 60.0  # dB from which on a layer has no bar: its error does not show
_WIDEST = 70  # pixels of a bar


def most_lost(layers: Sequence[LayerResult]) -> str:
    """A sentence on where most is lost, empty if it was not measured."""
    alone = [layer for layer in sorted(layers, key=_by_blame) if layer.alone_db is not None]
    named = ", ".join(
        f"<code>{escape(layer.name)}</code> ({decibels(layer.alone_db)} dB alone)"
        for layer in alone[:_NAMED]
    )
    return f" Most is lost in {named}." if named else ""


def table(layers: Sequence[LayerResult], board: str) -> str:
    """All layers as HTML, those that cost most accuracy first; `board` is what times are of."""
    if not layers:
        return "<p>No layer was looked at.</p>"
    ordered = sorted(layers, key=_by_blame)
    first, rest = ordered[:_SHOWN_AT_ONCE], ordered[_SHOWN_AT_ONCE:]
    least = min((one.alone_db for one in ordered if one.alone_db is not None), default=0.0)
    told = (
        "<p>SNR: of what the layer gives in the quantised network, with the errors of all layers "
        "before it. Alone: the worst PSNR of an output when this layer is the only one in int8. "
        "A layer in fp16 is float32 here."
        + (f" Times are estimates of {escape(board)}.</p>" if board else "</p>")
    )
    head = f"<details><summary>{len(rest)} further layers</summary>"
    more = f"{head}{_layer_table(rest, least)}</details>" if rest else ""
    return told + _layer_table(first, least) + more


def _by_blame(layer: LayerResult) -> tuple[bool, float, float]:
    """Layers that were measured alone first; then by what the whole network gives."""
    alone, snr = layer.alone_db, layer.snr_db
    return (alone is None, math.inf if alone is None else alone, math.inf if snr is None else snr)


def _layer_table(layers: Iterable[LayerResult], least: float) -> str:
    heads = ("layer", "operator", "in", "alone, dB", "SNR, dB", "MMAC", "fp16 us", "int8 us", "why")
    widths = (25, 11, 6, 12, 8, 7, 7, 7, 17)
    columns = "".join(f'<col style="width:{width}%">' for width in widths)
    head = "".join(f"<th>{one}</th>" for one in heads)
    rows = "".join(_layer_row(layer, least) for layer in layers)
    return f'<table class="layers"><colgroup>{columns}</colgroup><tr>{head}</tr>{rows}</table>'


def _layer_row(layer: LayerResult, least: float) -> str:
    cells = [escape(layer.name), escape(layer.op_type), escape(layer.precision)]
    numbers = [
        _bar(layer.alone_db, least) + decibels(layer.alone_db),
        decibels(layer.snr_db),
        f"{layer.macs / 1e6:.2f}" if layer.macs else "-",
        *("-" if one is None else f"{one:.1f}" for one in (layer.fp16_us, layer.int8_us)),
    ]
    return (
        f'<tr class="{escape(layer.precision)}">'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        + f"<td>{escape(layer.why)}</td></tr>"
    )


def _bar(alone: float | None, least: float) -> str:
    """The longer, the more the layer costs; nothing where it does not show."""
    if alone is None or not alone < _BARS:
        return ""
    width = _WIDEST * (_BARS - alone) / (_BARS - least) if math.isfinite(least) else _WIDEST
    return f'<span class="bar" style="width:{width:.0f}px"></span>'


def decibels(value: float | None) -> str:
    """A figure, `inf` for no error at all, or `-`."""
    if value is None:
        return "-"
    return "inf" if math.isinf(value) and value > 0 else f"{value:.1f}"
