"""A runtime as a plugin: one numpy network, for Python 3.7, where ONNX Runtime has no place.

The model file is JSON: the size of the picture, a weight for each of R, G and B, and `keep`,
the share of the previous frame's alpha.
"""

from __future__ import annotations

import json
from typing import Dict, Mapping

import numpy as np

from npukit.arrays import Array
from npukit.preprocess import Preprocess, to_tensor
from npukit.runtime.base import Model, Runtime, TensorSpec


class NumpyRuntime(Runtime):
    """Loads the JSON."""

    def load(self, path: str, threads: int = 1, declared: object = None) -> Model:
        with open(path, encoding="utf-8") as file:
            return NumpyModel(**json.load(file))


class NumpyModel(Model):
    """`alpha = keep * previous + (1 - keep) * clip(weights . rgb)`, rgb in 0..1."""

    def __init__(self, width: int, height: int, weights: Mapping[str, float], keep: float) -> None:
        self._weights = np.array([weights[name] for name in "rgb"], np.float32)
        self._keep = np.float32(keep)
        self._spec = Preprocess(scale=(1 / 255,) * 3)
        plane = (1, 1, height, width)
        super().__init__(
            inputs=(
                TensorSpec("image", (height * 3 // 2, width), "uint8", self._spec),
                TensorSpec("alpha_prev", plane, "float32"),
            ),
            outputs=(TensorSpec("alpha", plane, "float32"),),
            states={"alpha_prev": "alpha"},
        )

    def _execute(self, inputs: Mapping[str, Array]) -> Dict[str, Array]:
        rgb = to_tensor(self._spec, inputs["image"])
        alpha = np.clip(np.einsum("c,nchw->nhw", self._weights, rgb)[:, np.newaxis], 0, 1)
        return {"alpha": self._keep * inputs["alpha_prev"] + (1 - self._keep) * alpha}
