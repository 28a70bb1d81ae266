"""The page that a run leaves behind: what happened, with pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from npukit.arrays import U8
from npukit.errors import DisplayError
from npukit.files import replacing
from npukit.frame import Nv21Frame
from npukit.pipeline import Packet
from npukit_cli import html

_HEIGHT = 360  # of a picture on the page, in pixels; shown smaller, sharp when enlarged
_STYLE = """
body{max-width:1500px}
td+td,th+th{text-align:right}figure{display:inline-block;margin:.3rem}img{display:block;height:240px}
figcaption{font-size:.85rem;color:#555}
"""


class Snapshots:
    """Keeps a few frames of a run, spread over it, whatever its length.

    A frame is kept when its number is a multiple of a step; when too many are kept, every
    second one is forgotten and the step doubles.
    """

    def __init__(self, most: int = 6) -> None:
        self._most = most
        self._step = 1
        self.kept: dict[int, dict[str, U8]] = {}

    def __call__(self, packet: Packet) -> None:
        """Look at one finished frame."""
        if packet.index % self._step:
            return
        pictures = {"camera": _small(packet.source), "result": _small(packet.frame)}
        matte = packet.data.get("matte")
        if matte is not None:
            pictures["alpha"] = _shrink(matte.to_plane())
        self.kept[packet.index] = pictures
        if len(self.kept) > self._most:
            self._step *= 2
            self.kept = {at: kept for at, kept in self.kept.items() if at % self._step == 0}


def write_report(
    path: str,
    summary: dict[str, Any],
    snapshots: Sequence[Snapshots | None],
    curves: Sequence[Sequence[float]],
) -> None:
    """Write the page; an older one stays until the new one is complete.

    Args:
        path: of the page.
        summary: what `npukit run --json` prints.
        snapshots: pictures of each run.
        curves: error of each frame of each run, where it was measured.

    Raises:
        DisplayError: it cannot be written.
    """
    runs = zip(summary["runs"], snapshots, curves, strict=True)
    settings = ", ".join(f"{name}={value}" for name, value in summary["settings"].items())
    body = [
        f"<h1>{escape(summary['skill'])} {escape(summary['version'])}</h1>",
        f"<p>board: {escape(summary['board'])}; settings: <code>{escape(settings)}</code></p>",
        *(_run_html(run, kept, curve) for run, kept, curve in runs),
    ]
    page = html.page(f"npukit: {summary['skill']}", "".join(body), _STYLE)
    try:
        with replacing(path) as temporary:
            Path(temporary).write_text(page, encoding="utf-8")
    except OSError as error:
        raise DisplayError(f"cannot write the report: {error.strerror}", where=path) from error


def _run_html(run: dict[str, Any], kept: Snapshots | None, curve: Sequence[float]) -> str:
    figures = f"{run['fps']} frames/s, {run['cpu_ms_per_frame']} CPU ms/frame"
    parts = [f"<h2>{escape(run['source'])}</h2><p>{run['frames_in']} frames, {figures}</p>"]
    if run["error"]:
        parts.append(f'<p class="bad">{escape(run["error"]["message"])}</p>')
    quality = run.get("quality")
    if quality and quality["frames"]:
        parts.append(
            f"<p>Alpha against the exact one: MAD {quality['mad']:.4f}, MSE {quality['mse']:.4f}; "
            f"worst frame {quality['worst_frame']} with {quality['worst_mad']:.4f}</p>"
            + _curve_svg(curve)
        )
    parts += [f"<p>{escape(notice)}</p>" for notice in run["notices"]]
    parts.append(_timing_html({**run["stages"], **_latencies(run)}))
    for number, pictures in (kept.kept if kept else {}).items():
        parts.append(
            "<div>" + "".join(_figure(number, *item) for item in pictures.items()) + "</div>"
        )
    return "".join(parts)


def _latencies(run: dict[str, Any]) -> dict[str, Any]:
    return {f"latency {name}": timing for name, timing in run["latency"].items()}


def _timing_html(timings: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{timing[key]:.2f}</td>" for key in ("p50_ms", "p95_ms", "p99_ms"))
        + "</tr>"
        for name, timing in timings.items()
    )
    head = "<tr><th>stage</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th></tr>"
    return f"<table>{head}{rows}</table>"


def _curve_svg(curve: Sequence[float], width: int = 720, height: int = 120) -> str:
    top = max(max(curve), 1e-6)
    step = width / max(len(curve) - 1, 1)
    points = " ".join(
        f"{place * step:.1f},{height - 4 - (height - 24) * value / top:.1f}"
        for place, value in enumerate(curve)
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f'<polyline points="{points}" fill="none" stroke="#1a6" stroke-width="1.5"/>'
        f'<text x="4" y="14" font-size="12">MAD of each frame, scale to {top:.4f}</text></svg>'
    )


def _figure(number: int, name: str, picture: U8) -> str:
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        return ""
    text = base64.b64encode(np.asarray(data).tobytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(name)} of frame {number}" src="data:image/jpeg;base64,{text}">'
        f"<figcaption>frame {number}: {escape(name)}</figcaption></figure>"
    )


def _small(frame: Nv21Frame) -> U8:
    return _shrink(frame.to_bgr())


def _shrink(picture: U8) -> U8:
    height, width = picture.shape[:2]
    scale = min(1.0, _HEIGHT / height)
    size = (max(1, round(width * scale)), round(height * scale))
    smaller: U8 = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return smaller
