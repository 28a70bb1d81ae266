"""Stacked bars as an SVG file that reads on light and dark pages alike."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

# After Okabe and Ito: told apart with every kind of colour vision; dark enough for white text.
_COLORS = ("#0072b2", "#007a5c", "#b34a00", "#8a4a78", "#5f6b76")
_STYLE = """
text { font: 13px system-ui, "DejaVu Sans", Arial, sans-serif; fill: #1f2328 }
.card { fill: #ffffff; stroke: #d0d7de }
.inside { fill: #ffffff; text-anchor: middle }
.sum { font-weight: bold }
.title { font-size: 15px; font-weight: bold }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .inside { fill: #ffffff }
  .card { fill: #0d1117; stroke: #30363d }
}
"""
_WIDTH, _LEFT, _RIGHT, _TOP = 760, 106, 88, 92
_BAR, _STEP, _LINE = 34, 52, 7.6  # pixels: height of a bar, from bar to bar, a letter's width
_NARROWEST = 28.0  # pixels of a bar that a figure still fits into


def stacked(title: str, unit: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """The SVG text.

    Args:
        title: above the bars.
        unit: of the values, written after each bar's sum.
        bars: by name, the values of the parts by their names; every bar has the same parts.

    Raises:
        ValueError: no bars, bars with other parts than the first, or more parts than colours.
    """
    parts = list(next(iter(bars.values()), {}))
    if not parts or len(parts) > len(_COLORS) or any(list(bar) != parts for bar in bars.values()):
        raise ValueError(f"every bar has the same 1 to {len(_COLORS)} parts")
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(sum(bar.values()) for bar in bars.values()), 1e-9)
    height = _TOP + _STEP * len(bars) + 4
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    name = escape(title, {'"': "&quot;"})
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{name}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="16" y="28">{escape(title)}</text>',
        *_legend(parts),
    ]
    for place, (name, bar) in enumerate(bars.items()):
        lines += _bar(name, bar, _TOP + _STEP * place, scale, unit)
    return "\n".join((*lines, "</svg>", ""))


def _legend(parts: list[str]) -> list[str]:
    lines, x = [], 16.0
    for part, color in zip(parts, _COLORS, strict=False):
        lines.append(f'<rect x="{x:.0f}" y="48" width="13" height="13" rx="2" fill="{color}"/>')
        lines.append(f'<text x="{x + 19:.0f}" y="59">{escape(part)}</text>')
        x += 19 + _LINE * len(part) + 14
    return lines


def _bar(name: str, bar: Mapping[str, float], y: float, scale: float, unit: str) -> list[str]:
    middle = y + _BAR / 2 + 5
    lines = [f'<text x="16" y="{middle:.0f}">{escape(name)}</text>']
    x = float(_LEFT)
    for (part, value), color in zip(bar.items(), _COLORS, strict=False):
        width = value * scale
        lines.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{color}">'
            f"<title>{escape(part)}: {value:.2f} {escape(unit)}</title></rect>"
        )
        if width >= _NARROWEST:
            lines.append(
                f'<text class="inside" x="{x + width / 2:.1f}" y="{middle:.0f}">{value:.1f}</text>'
            )
        x += width
    total = f"{sum(bar.values()):.1f} {escape(unit)}"
    lines.append(f'<text class="sum" x="{x + 8:.1f}" y="{middle:.0f}">{total}</text>')
    return lines
