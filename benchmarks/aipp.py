"""AIPP's arithmetic: how fast the executor is, and what it changes for portrait matting.

python -m benchmarks.aipp [--rounds 300]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import chain
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnxruntime

from benchmarks.clips import DEMO, SKILL, read
from benchmarks.measure import table
from npukit.aipp import Executor, Rounding, load_preset, steps
from npukit.preprocess import Preprocess, to_tensor
from npukit.preprocess.host import fit
from npukit.runtime.build import read_build

PRESET = "nv21_to_rgb_bt601_narrow_0_1"
MODELS = ("selfie_landscape", "selfie_square")
FRAMES = 120
AIM = 3.0  # times the fastest peer, at most
Way = Callable[[Any], Any]  # packed NV21 to (1, 3, H, W) float32


def opencv(packed: Any) -> Any:
    """`cvtColor` and OpenCV's own scaling, a plane at a time."""
    rgb = cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_NV21)
    out = np.empty((1, 3, *rgb.shape[:2]), np.float32)
    for plane, target in zip(cv2.split(rgb), out[0], strict=True):
        cv2.addWeighted(plane, 1 / 255, plane, 0, 0, dst=target, dtype=cv2.CV_32F)
    return out


def usual(packed: Any) -> Any:
    """`cvtColor` and NumPy, as scripts write it."""
    rgb = cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_NV21)
    scaled = rgb.astype(np.float32) * np.float32(1 / 255)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def speed_table(rounds: int) -> Iterator[str]:
    """Markdown lines: medians of interleaved rounds, one thread."""
    cv2.setNumThreads(1)
    rows = []
    for size in ((256, 256), (256, 144)):
        ways: dict[str, Way] = {
            "AIPP, bit for bit": Executor(steps(load_preset(PRESET), size)),
            "cvtColor, OpenCV's scaling": opencv,
            "cvtColor, NumPy": usual,
            "npukit.preprocess, float32": lambda packed: to_tensor(SPEC, packed),
        }
        packed = np.random.default_rng(0).integers(0, 256, (size[1] * 3 // 2, size[0]), np.uint8)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                began = time.perf_counter()
                way(packed)
                times[name].append(time.perf_counter() - began)
        ours = median(times["AIPP, bit for bit"])
        for name, found in times.items():
            middle = median(found)
            rows.append(
                (f"{size[0]}x{size[1]}, {name}", f"{1e3 * middle:.3f}", f"{ours / middle:.2f}")
            )
    yield from table(("NV21 to RGB in 0..1", "ms", "AIPP takes, times this"), rows)
    worst = max(float(ratio) for _, _, ratio in rows)
    yield f"\nAim: {AIM:g} times any of them at most; {'reached' if worst <= AIM else 'MISSED'}."


SPEC = Preprocess(scale=(1 / 255,) * 3)


def alphas(model_name: str, count: int = FRAMES) -> dict[str, Any]:
    """Alpha of the demo clip's first frames, (count, H, W) float32, by each way to the network."""
    build = read_build(str(SKILL / "model" / f"{model_name}.sim"))
    # The network alone: each way makes its tensor.
    network = onnxruntime.InferenceSession(build.onnx, providers=["CPUExecutionProvider"])
    image = build.inputs["image"]
    assert image.preprocess is not None
    size = image.shape[3], image.shape[2]
    done = steps(load_preset(PRESET), size)
    truncate, nearest = Executor(done), Executor(done, Rounding.NEAREST)
    ways: dict[str, Way] = {
        "declaration": lambda packed: to_tensor(SPEC, packed),
        "truncate": truncate,
        "nearest": nearest,
        "opencv": usual,
    }
    found: dict[str, list[Any]] = {name: [] for name in ways}
    for frame in read(DEMO, count):
        packed = fit(image.preprocess, frame, size).pack()
        for name, way in ways.items():
            (alpha,) = network.run(None, {"image": way(packed)})
            found[name].append(alpha.squeeze())
    return {name: np.stack(values) for name, values in found.items()}


PAIRS = {
    "`>> 8` or rounding (AIPP's unknown)": ("truncate", "nearest"),
    "float16 or float32 after the same `>> 8`": ("truncate", "declaration"),
    "AIPP with `>> 8` or OpenCV": ("truncate", "opencv"),
    "AIPP with rounding or OpenCV": ("nearest", "opencv"),
}


def effect(found: dict[str, Any]) -> dict[str, tuple[float, float, float]]:
    """Mean, 99.9th percentile and largest difference of alpha for each pair of ways."""
    out = {}
    for title, (one, other) in PAIRS.items():
        apart = np.abs(found[one] - found[other])
        out[title] = (float(apart.mean()), float(np.quantile(apart, 0.999)), float(apart.max()))
    return out


def effect_table() -> Iterator[str]:
    """Markdown lines: what the ways change in alpha over the demo clip."""
    rows = []
    for name in MODELS:
        for title, (mean, high, largest) in effect(alphas(name)).items():
            rows.append((f"{name}: {title}", f"{mean:.5f}", f"{high:.4f}", f"{largest:.3f}"))
    yield from table(("difference of alpha (0..1)", "mean", "p99.9", "largest"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    for line in chain(speed_table(options.rounds), [""], effect_table()):
        print(line, flush=True)
