"""Pages that stand alone: no file, font or script from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from npukit import __version__

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}
th,td{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top;
overflow-wrap:anywhere}td.number{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:#b00020;font-weight:600}.good{color:#14713a;font-weight:600}code{background:#f4f4f4}
summary{cursor:pointer}svg{background:#fafafa;border:1px solid #ddd;max-width:100%;height:auto}
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page; `body` is HTML, the title is text; `style` is CSS for this page alone."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style>{body}"
        f"<p>npukit {escape(__version__)}</p></html>\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text cells; numbers stand to the right."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(text: str) -> str:
    number = text in ("-", "inf") or (text[:1] in "+-0123456789" and text[-1:].isdigit())
    kind = ' class="number"' if number else ""
    return f"<td{kind}>{escape(text)}</td>"
