"""Trained networks that lie beside the tests as ONNX (see tests/data/onnx/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "onnx"


@dataclass(frozen=True)
class OnnxFile:
    """A file with its inputs and outputs: shapes by name.

    Attributes:
        name: of the file, without its suffix.
        values: smallest and largest value of the pictures that it was trained for.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    values: tuple[float, float]

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.onnx"


ONNX_FILES = (
    OnnxFile(
        "blazeface",
        {"image": (1, 3, 128, 128)},
        {"boxes": (1, 896, 16), "scores": (1, 896, 1)},
        (-1.0, 1.0),
    ),
    OnnxFile(
        "face_landmark",
        {"image": (1, 3, 192, 192)},
        {"points": (1, 1404, 1, 1), "presence": (1, 1, 1, 1)},
        (0.0, 1.0),
    ),
    OnnxFile(
        "esrgan_slim_x2",
        {"image": (1, 3, 64, 64)},
        {"enlarged": (1, 3, 128, 128)},
        (0.0, 1.0),
    ),
)
