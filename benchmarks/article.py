"""The peer: the loop that the article on portrait matting on HiLens describes.

One thread; every frame goes to RGB, is mirrored, cropped and scaled, blended in floating
point, set beside the camera's picture and brought back to NV21. Written anew after the
article's description, as a user of OpenCV and numpy would, with three changes in its favour:
the background is read and scaled once, nothing is scaled that has the right size already,
and U and V are interleaved by OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from npukit.runtime.build import read_build

Array = np.ndarray[Any, Any]
Network = Callable[[Array], Array]


class BareNetwork:
    """A simulator build's network through bare ONNX Runtime, set up as npukit sets it up."""

    def __init__(self, path: Path, threads: int) -> None:
        build = read_build(str(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            build.onnx, options, providers=["CPUExecutionProvider"]
        )
        ((self._input, spec),) = build.inputs.items()
        self.size = (spec.shape[3], spec.shape[2])

    def __call__(self, tensor: Array) -> Array:
        """(1, 3, h, w) float32 RGB 0..1 to (1, 1, h, w) float32 alpha."""
        alpha: Array = self._session.run(None, {self._input: tensor})[0]
        return alpha


class ArticleLoop:
    """What happens to one frame."""

    def __init__(
        self, network: Network, model_size: tuple[int, int], background: Path, square: bool
    ) -> None:
        picture = cv2.imread(str(background))
        if picture is None:
            raise FileNotFoundError(background)
        self.network = network
        self._model_size = model_size
        self._picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        self._square = square
        self._background: Array | None = None

    def __call__(self, nv21: Array) -> Array:
        """(H*3//2, W) uint8 to the result, view and composite side by side, in the same layout."""
        view, tensor = self.before(nv21)
        return self.after(view, self.network(tensor))

    def before(self, nv21: Array) -> tuple[Array, Array]:
        """The view in RGB and the network's input."""
        picture = cv2.flip(cv2.cvtColor(nv21, cv2.COLOR_YUV2RGB_NV21), 1)
        if self._square:
            height, width = picture.shape[:2]
            side = min(height, width)
            x, y = (width - side) // 2, (height - side) // 2
            picture = picture[y : y + side, x : x + side]
        small = cv2.resize(picture, self._model_size)
        tensor = small.astype(np.float32) / 255.0
        return picture, np.ascontiguousarray(tensor.transpose(2, 0, 1)[np.newaxis])

    def after(self, view: Array, alpha: Array) -> Array:
        """The result of a view and its alpha."""
        height, width = view.shape[:2]
        if self._background is None:
            self._background = cover(self._picture, (width, height))
        matte = cv2.resize(np.tile(alpha[0].transpose(1, 2, 0), (1, 1, 3)), (width, height))
        composite = matte * view + (1 - matte) * self._background
        return rgb_to_nv21(np.concatenate((view, composite), axis=1).astype(np.uint8))


def cover(picture: Array, size: tuple[int, int]) -> Array:
    """A picture scaled to cover a size (width, height) and cut at the centre."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    wide = max(round(width * scale), size[0]), max(round(height * scale), size[1])
    scaled = cv2.resize(
        picture, wide, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    x, y = (wide[0] - size[0]) // 2, (wide[1] - size[1]) // 2
    return np.ascontiguousarray(scaled[y : y + size[1], x : x + size[0]])


def rgb_to_nv21(rgb: Array) -> Array:
    """(H, W, 3) uint8 to (H*3//2, W) uint8: the vendor's `cvt_color`."""
    height, width = rgb.shape[:2]
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    nv21: Array = np.empty_like(i420)
    nv21[:height] = i420[:height]
    cv2.merge([v, u], dst=nv21[height:].reshape(height // 2, width // 2, 2))
    return nv21
