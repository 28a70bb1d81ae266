"""The page of a quantisation: what it cost, where, and whether to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from npukit_cli import html, quantization_layers
from npukit_cli.quantization_layers import decibels, most_lost
from npukit_cli.quantization_pictures import figure

if TYPE_CHECKING:
    from npukit_convert.quantization.results import (
        Finding,
        QuantizationResult,
        TaskMeasure,
    )

_STYLE = """
.tiles{display:grid;gap:.8rem;margin:1rem 0;
grid-template-columns:repeat(auto-fit,minmax(230px,1fr))}
.tile{border:1px solid #ddd;border-radius:.4rem;padding:.6rem 1rem}
.tile b{display:block;font-size:1.5rem;font-weight:600}.tile small{color:#555}
.finding{border-left:.35rem solid #c77700;background:#fff6e6;padding:.5rem 1rem;margin:.6rem 0}
.alarm{border-left-color:#b00020;background:#fde8ea}.good-news{border-left-color:#14713a;
background:#eaf6ee}.finding p{margin:.2rem 0}
figure{margin:1.2rem 0}.frames{display:grid;gap:.6rem;
grid-template-columns:repeat(auto-fit,minmax(200px,1fr))}
.frames img{width:100%;height:auto;border:1px solid #ddd}
.frames figcaption,figure>figcaption{font-size:.85rem;color:#444}.frames figure{margin:0}
.layers{table-layout:fixed;width:100%}.layers td.number{white-space:nowrap}
.layers th:nth-child(n+4):nth-child(-n+8){text-align:right}
tr.int8 td:nth-child(3){color:#1a6e8e;font-weight:600}
.bar{display:inline-block;height:.6rem;background:#c0392b;vertical-align:middle;margin-right:.4rem}
"""


def quantization_page(result: QuantizationResult, name: str) -> str:
    """The page as HTML, in one file.

    Args:
        result: what was measured.
        name: of the model.
    """
    body = [
        f"<h1>{escape(name)} in {escape(result.preset)}</h1>",
        _verdict(result),
        *(_finding(one) for one in result.findings),
        _tiles(result),
        "<h2>What must hold</h2>",
        _floors(result),
        "<h2>Outputs, against float32</h2>",
        html.table(
            ("output", "PSNR dB", "SNR dB", "cosine, worst", "max abs"),
            [
                (
                    key,
                    decibels(one.psnr_db),
                    decibels(one.snr_db),
                    f"{one.cosine:.5f}",
                    f"{one.max_abs:.3g}",
                )
                for key, one in result.outputs.items()
            ],
        ),
        _task(result.task),
        "<h2>Worst frames</h2>",
        *(_or(map(figure, result.worst), "<p>No frame was kept.</p>")),
        "<h2>Layers, those to blame first</h2>",
        quantization_layers.table(result.layers, next(iter(result.board_ms), "")),
        "<h2>What it was calibrated and judged on</h2>",
        _data(result),
    ]
    return html.page(f"npukit convert: {name}, {result.preset}", "".join(body), _STYLE)


def _verdict(result: QuantizationResult) -> str:
    alarm = ""
    if result.calibration.random:
        alarm = (
            '<div class="finding alarm"><p><b>Calibrated on noise.</b> The ranges say nothing '
            "about real frames. Do not use this model.</p></div>"
        )
    missed = [floor.metric for floor in result.floors if not floor.held]
    if missed:
        return alarm + (
            f'<div class="finding alarm"><p><b>Rejected.</b> It misses the floor of '
            f"{escape(', '.join(missed))}.{most_lost(result.layers)}</p></div>"
        )
    text = "All floors hold." if result.floors else "Nothing was asked of its accuracy."
    return f'{alarm}<div class="finding good-news"><p><b>Accepted.</b> {text}</p></div>'


def _finding(one: Finding) -> str:
    return (
        f'<div class="finding"><p><b>{escape(one.code)}</b>: {escape(one.text)}</p>'
        f"<p>What to do: {escape(one.remedy)}</p></div>"
    )


def _tiles(result: QuantizationResult) -> str:
    share = result.quantised_bytes / max(result.fp32_bytes, 1)
    sizes = f"{_size(result.fp32_bytes)} to {_size(result.quantised_bytes)}"
    tiles = [(f"{share:.2f}", "of the size of float32", sizes)]
    if result.speed is not None:
        one = result.speed
        times = f"{one.fp32_ms:.2f} to {one.quantised_ms:.2f} ms"
        how = f"{times}, {_threads(one.threads)}, {one.rounds} rounds"
        tiles.append((f"{one.ratio:.2f}x", "the speed of float32 on this CPU, measured", how))
    else:
        tiles.append(("-", "speed on this CPU", "not measured"))
    for board, (fp16, plan) in result.board_ms.items():
        tiles.append(
            (
                f"{fp16 / plan:.2f}x" if plan else "-",
                f"the speed of fp16 on {board}, estimated",
                f"{fp16:.2f} to {plan:.2f} ms",
            )
        )
    int8 = [layer for layer in result.layers if layer.precision == "int8"]
    macs = sum(layer.macs for layer in result.layers)
    work = f"{sum(one.macs for one in int8) / macs:.0%} of the multiply-adds" if macs else ""
    tiles.append((f"{len(int8)} of {len(result.layers)}", "layers in int8", work))
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b>{escape(value)}</b>{escape(what)}<br><small>{escape(more)}'
            "</small></div>"
            for value, what, more in tiles
        )
        + "</div>"
    )


def _floors(result: QuantizationResult) -> str:
    if not result.floors:
        return "<p>No floor was set.</p>"
    origin = (
        "<p>No accuracy.yaml names a floor: these are the defaults. Name what your task needs "
        "(<code>accuracy:</code> in convert.yaml).</p>"
        if result.default_floor
        else ""
    )
    rows = "".join(
        f"<tr><td>{escape(one.metric)}</td><td class=number>{one.limit:g}</td>"
        f"<td class=number>{one.measured:.4g}</td><td>"
        f'<span class="{"good" if one.held else "bad"}">{"holds" if one.held else "missed"}</span>'
        "</td></tr>"
        for one in result.floors
    )
    head = "<tr><th>measure</th><th>limit</th><th>measured</th><th></th></tr>"
    return f"{origin}<table>{head}{rows}</table>"


def _task(task: Mapping[str, TaskMeasure]) -> str:
    if not task:
        return ""
    rows = [
        (
            name,
            f"{one.fp32:.5g}",
            f"{one.quantised:.5g}",
            f"{one.quantised - one.fp32:+.3g}",
            one.unit,
            "higher" if one.higher_is_better else "lower",
        )
        for name, one in task.items()
    ]
    head = ("measure", "float32", "quantised", "change", "unit", "better is")
    return f"<h2>The task, against the truth</h2>{html.table(head, rows)}"


def _data(result: QuantizationResult) -> str:
    one = result.calibration
    rows = [
        ("calibration", one.source),
        ("frames read, distinct ones used", f"{one.read}, {one.kept}"),
        ("SHA-256 of the tensors", one.sha256),
        ("evaluation", result.evaluation),
        ("networks executed in the search", str(result.evaluations)),
    ]
    return html.table(("", ""), rows)


def _or(parts: Iterable[str], otherwise: str) -> list[str]:
    return list(parts) or [otherwise]


def _size(count: int) -> str:
    return f"{count / 2**20:.2f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
