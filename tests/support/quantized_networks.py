"""Small networks with a folder of what is needed to quantise them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from support.graphs import graph, noise

SIDES = (1, 3, 16, 16)
# Three convolutions and a residual addition; the last by itself decides the output.
TEXT = """(float[1,3,16,16] x) => (float[1,2,16,16] y) {
    a = Conv<pads = [1,1,1,1]>(x, w1, b1) r = Relu(a)
    b = Conv<pads = [1,1,1,1]>(r, w2, b2) s = Add(r, b) p = PRelu(s, slope)
    y = Conv(p, w3, b3) }"""
CONFIG: dict[str, Any] = {
    "name": "net",
    "model": {"onnx": "net.onnx"},
    "inputs": {"x": {"shape": list(SIDES)}},
    "outputs": ["y"],
    "precision": "int8",
    "calibration": {"frames": "frames.npy", "samples": 32},
}


def weights(wide: float = 1.0) -> dict[str, Any]:
    """`wide` makes one channel of the second convolution that much larger than all others."""
    second = noise(8, 8, 3, 3, seed=2)
    second[0] *= wide
    last = noise(2, 8, 1, 1, seed=3)
    last[:, 0] /= wide
    return {
        "w1": noise(8, 3, 3, 3, seed=1), "b1": noise(8, seed=4), "w2": second,
        "b2": noise(8, seed=5), "slope": np.full((8, 1, 1), 0.25), "w3": last,
        "b3": noise(2, seed=6),
    }  # fmt: skip


def frames(count: int = 40, seed: int = 0) -> Any:
    """Tensors that differ from each other: each is a few waves."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16] / 16.0
    turns = random.uniform(0.5, 4.0, (count, 3, 2, 1, 1))
    phases = random.uniform(0, 2 * np.pi, (count, 3, 1, 1))
    waves = np.sin(2 * np.pi * (turns[:, :, 0] * rows + turns[:, :, 1] * columns) + phases)
    return waves.astype(np.float32)


def write_project(folder: Path, wide: float = 1.0, **changes: Any) -> Path:
    """The network, frames and config; the config's path."""
    (folder / "net.onnx").write_bytes(graph(TEXT, **weights(wide)))
    np.save(folder / "frames.npy", frames())
    np.save(folder / "others.npy", frames(20, seed=1))
    path = folder / "convert.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}, sort_keys=False), "utf-8")
    return path


def write_accuracy(folder: Path, **floors: float) -> str:
    """An accuracy.yaml beside the config; its name."""
    section = {"frames": "others.npy", "floors": floors}
    (folder / "accuracy.yaml").write_text(yaml.safe_dump({"precision": section}), "utf-8")
    return "accuracy.yaml"
