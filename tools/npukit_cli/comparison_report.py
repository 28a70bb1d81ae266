"""The page of a comparison: the error of every layer, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from npukit.errors import DisplayError
from npukit.files import replacing
from npukit_cli import html

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 1100, 360, 70, 30, 12
_STYLE = """
table{width:100%}
th,td{padding:.25rem .7rem;text-align:right}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}
td:nth-child(n+3){white-space:nowrap}th{white-space:nowrap}
.past{background:#fde8ea}.first{background:#f8b4bd;font-weight:600}
svg text{font-size:12px;fill:#555}
"""
_COLUMNS = {"max_abs": ".2e", "mean_abs": ".2e", "cosine": ".6f", "snr_db": ".1f"}


def write_page(path: str, summary: Mapping[str, Any]) -> None:
    """Write the page; an older one stays until the new one is complete.

    Args:
        path: of the page.
        summary: what `npukit compare --json` prints.

    Raises:
        DisplayError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            Path(temporary).write_text(page(summary), encoding="utf-8")
    except OSError as error:
        raise DisplayError(f"cannot write the page: {error.strerror}", where=path) from error


def page(summary: Mapping[str, Any]) -> str:
    """The page as one file without anything from elsewhere."""
    one, other = (
        f"<b>{escape(summary[side]['model'])}</b> ({escape(summary[side]['engine'])})"
        for side in ("one", "other")
    )
    limits = summary["thresholds"]
    verdict = (
        '<span class="bad">too far apart</span>'
        if summary["past"]
        else '<span class="good">within the thresholds</span>'
    )
    alone = summary["unpaired"]
    first = summary["first_layer_past"]
    judged = (
        f"{verdict}: max abs {limits['max_abs']:g} and cosine {limits['cosine']:g} are allowed. "
        f"Input: {escape(summary['input'])} ({escape(', '.join(summary['cases']))}). "
        "Figures are the worst of all cases."
    )
    body = [
        "<h1>Two models compared</h1>",
        f"<p>{one} is the reference, {other} is measured against it.</p>",
        f"<p>{judged}</p>",
        *(f"<p>Note: {escape(note)}</p>" for note in summary["notes"]),
        "<h2>Outputs</h2>",
        _table(summary["outputs"], None),
        "<h2>Layers</h2>",
        f"<p>{_first(first)}</p>",
        plot(summary["layers"], limits["max_abs"]),
        _table(summary["layers"], first),
        "<h2>Without a partner</h2>",
        f"<p>In the reference: {_names(alone['one'])}</p>",
        f"<p>In the other: {_names(alone['other'])}</p>",
    ]
    title = f"npukit compare: {summary['one']['model']}, {summary['other']['model']}"
    return html.page(title, "".join(body), _STYLE)


def plot(layers: Sequence[Mapping[str, Any]], allowed: float) -> str:
    """Max abs of each layer over the order of execution, on a logarithmic scale, as SVG.

    An error of zero stands on the lowest line, one that is not finite on the highest.
    """
    errors = [row["max_abs"] for row in layers]
    real = [error for error in (*errors, allowed) if error]
    if not layers or not real:
        return "<p>There is nothing to draw.</p>"
    low = math.floor(math.log10(min(real)))
    high = max(math.ceil(math.log10(max(real))), low + 1)
    step = (_WIDTH - _LEFT - 20) / max(len(layers) - 1, 1)
    grid = "".join(
        _grid_line(_y(power, low, high), power)
        for power in range(low, high + 1, max(1, (high - low) // 8))
    )
    places = [
        (_LEFT + 5 + place * step, _y(_power(error, low, high), low, high))
        for place, error in enumerate(errors)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(_dot(x, y, row) for (x, y), row in zip(places, layers, strict=True))
    limit = _y(_power(allowed, low, high), low, high)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="max abs of each layer">{grid}'
        f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{limit:.1f}" y2="{limit:.1f}" stroke="#b00020" '
        'stroke-dasharray="6 4"/>'
        f'<polyline points="{line}" fill="none" stroke="#9cc"/>{dots}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">layers in the order of execution; dashed: max abs '
        "allowed of an output; red: past a threshold</text></svg>"
    )


def _grid_line(y: float, power: int) -> str:
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">1e{power}</text>'
    )


def _dot(x: float, y: float, row: Mapping[str, Any]) -> str:
    colour = "#b00020" if row["past"] else "#1a6e8e"
    told = f"{escape(row['one'])}: max abs {_number(row['max_abs'])}"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"><title>{told}</title></circle>'
    )


def _power(error: float | None, low: int, high: int) -> float:
    if error is None:
        return high
    return math.log10(error) if error > 0 else low


def _y(power: float, low: int, high: int) -> float:
    return _TOP + (high - power) / (high - low) * (_HEIGHT - _TOP - _BOTTOM - 8)


def _table(rows: Sequence[Mapping[str, Any]], first: str | None) -> str:
    if not rows:
        return ""
    head = "<tr><th>reference</th><th>other</th><th>shape</th>" + "".join(
        f"<th>{title}</th>" for title in ("max abs", "mean abs", "cosine", "SNR dB")
    )
    return f"<table>{head}</tr>{''.join(_row(row, first) for row in rows)}</table>"


def _row(row: Mapping[str, Any], first: str | None) -> str:
    mark = "first" if row["one"] == first else "past" if row["past"] else ""
    cells = [escape(row["one"]), escape(row["other"]), "x".join(map(str, row["shape"]))]
    cells += [_number(row[key], shown) for key, shown in _COLUMNS.items()]
    return f'<tr class="{mark}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _number(value: float | None, shown: str = ".2e") -> str:
    return "-" if value is None else format(value, shown)


def _first(name: str | None) -> str:
    if name is None:
        text = "No layer is past the thresholds."
    else:
        text = f'The first layer past the thresholds is <span class="bad">{escape(name)}</span>.'
    return f"{text} Of a layer, max abs is allowed times its peak, where that is above 1."


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in names) or "none"
