"""The frames a quantised network does worst on: input, both results and their difference."""

from __future__ import annotations

import base64
import math
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np

from npukit.arrays import F32, U8

if TYPE_CHECKING:
    from npukit_convert.quantization.results import WorstFrame

_LARGEST = 480  # pixels of a side: the page is looked at, not measured
_ROW_HEIGHT = 120  # of a vector, drawn as a curve
_LINES = ((46, 110, 142), (192, 57, 43))  # RGB of float32 and of the quantised in a curve
_USUAL, _OVERSHOOT = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)), 0.2
_GAINS = (1, 2, 4, 8, 16, 32, 64)


def figure(worst: WorstFrame) -> str:
    """A row of pictures as HTML."""
    fp32, quantised = (np.asarray(one, np.float32) for one in (worst.fp32, worst.quantised))
    title = f"{worst.name}, {worst.output}: PSNR {_db(worst.psnr_db)}"
    shown: list[tuple[str, U8]] = []
    if worst.picture is not None:
        shown.append(("what the network saw", worst.picture))
    if fp32.ndim == 2 and fp32.shape[0] == 1:
        shown.append(("float32 (blue) and quantised (red)", _curves(fp32[0], quantised[0])))
    else:
        shown += _compared(fp32, quantised)
    pictures = "".join(
        f'<figure><img alt="{escape(what)}" src="{_data_url(image)}">'
        f"<figcaption>{escape(what)}</figcaption></figure>"
        for what, image in shown
    )
    return (
        f"<figure><figcaption><b>{escape(title)}</b></figcaption>"
        f'<div class="frames">{pictures}</div></figure>'
    )


def _compared(fp32: F32, quantised: F32) -> list[tuple[str, U8]]:
    """Both on one scale, and how far they are apart."""
    low, span = _scale(fp32)
    apart = np.abs(quantised - fp32)
    apart = np.nan_to_num(apart, nan=span, posinf=span)
    apart = apart.max(axis=0) if apart.ndim == 3 else apart
    worst = float(apart.max())
    gain = max((one for one in _GAINS if one * worst <= span), default=1)
    told = f"difference x {gain}; the largest is {worst:.3g}, the range {span:.3g}"
    heat = cv2.applyColorMap(_bytes(apart * gain / span), cv2.COLORMAP_INFERNO)
    return [
        ("float32", _picture((fp32 - low) / span)),
        ("quantised", _picture((quantised - low) / span)),
        (told, heat[:, :, ::-1]),
    ]


def _scale(values: F32) -> tuple[float, float]:
    """What is black, and how far white is from it: a usual range of pictures if one fits."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for black, white in _USUAL:
        over = _OVERSHOOT * (white - black)
        if low >= black - over and high <= white + over and high - low >= over:
            return black, white - black
    return low, high - low or 1.0


def _picture(values: F32) -> U8:
    """Values in 0..1, (H, W) or (3, H, W), as RGB."""
    gray = _bytes(values)
    return np.repeat(gray[:, :, None], 3, axis=2) if gray.ndim == 2 else gray.transpose(1, 2, 0)


def _bytes(values: F32) -> U8:
    clean = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(clean, 0, 1) * 255).astype(np.uint8)


def _curves(fp32: F32, quantised: F32) -> U8:
    """Two vectors over one another, on the scale of both."""
    both = np.stack([fp32, quantised])
    both = np.nan_to_num(both, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(both.min()), float(both.max())
    canvas = np.full((_ROW_HEIGHT, _LARGEST, 3), 250, np.uint8)
    x = np.linspace(4, _LARGEST - 5, fp32.size)
    for values, color in zip(both, _LINES, strict=True):
        y = (_ROW_HEIGHT - 5) - (values - low) / ((high - low) or 1.0) * (_ROW_HEIGHT - 10)
        points = np.stack([x, y], axis=1).round().astype(np.int32)
        cv2.polylines(canvas, [points], False, color, 1, cv2.LINE_AA)
    return canvas


def _data_url(picture: U8) -> str:
    height, width = picture.shape[:2]
    scale = _LARGEST / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".png", np.ascontiguousarray(picture[:, :, ::-1]))
    return f"data:image/png;base64,{base64.b64encode(coded.tobytes()).decode()}"


def _db(value: float) -> str:
    return "infinite" if math.isinf(value) else f"{value:.1f} dB"
