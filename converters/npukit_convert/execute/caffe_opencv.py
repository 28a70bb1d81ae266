"""Caffe networks in this process, by OpenCV's own implementation of Caffe's layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from npukit.arrays import F32
from npukit_convert.execute.base import Executor
from npukit_convert.execute.caffe_net import CaffeNet, read_net

_BATCH = 16  # layers fetched in one pass
# Caffe's own field; OpenCV's schema has `ceil_mode` under the same number.
_ROUND_MODE = re.compile(r"\bround_mode(\s*:\s*)(CEIL|FLOOR|0|1)\b")


class CaffeOpenCV(Executor):
    """OpenCV 4's dnn module, its fusions off: they refuse some pairs of layers.

    It knows no ArgMax, Bias, Reduction, Threshold or Tile, and its MVN is `x / sqrt(var + eps)`
    where Caffe's is `x / (sqrt(var) + eps)`.
    """

    engine = "Caffe (OpenCV)"

    def __init__(self, prototxt: Path, caffemodel: Path | None = None) -> None:
        """Open a network; see `read_net`.

        Raises:
            ExecutionError: as `read_net`, or OpenCV refuses the network.
        """
        net = read_net(prototxt, caffemodel)
        super().__init__(net.where, net.inputs, tuple(net.outputs))
        self._sources = net.outputs
        self._names = _fetched(net)
        text = for_opencv(net.prototxt).encode()
        try:
            self._net = cv2.dnn.readNetFromCaffe(
                np.frombuffer(text, np.uint8), np.frombuffer(net.caffemodel, np.uint8)
            )
            self._net.enableFusion(False)
            self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        except cv2.error as error:
            raise self._failed(
                _reason(error), "OpenCV may not know a layer or field: try BVLC Caffe"
            ) from error

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        names = list(dict.fromkeys(layer for layer, _ in self._sources.values()))
        found = dict(zip(names, self._forward(feeds, names), strict=True))
        return {blob: found[layer][top] for blob, (layer, top) in self._sources.items()}

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        for start in range(0, len(self._names), _BATCH):
            names = self._names[start : start + _BATCH]
            for name, tops in zip(names, self._forward(feeds, names), strict=True):
                yield from named_tops(name, tops)

    def _forward(self, feeds: Mapping[str, F32], names: Sequence[str]) -> list[list[F32]]:
        """All tops of each of the layers."""
        try:
            for name, value in feeds.items():
                self._net.setInput(value, name)
            found = self._net.forwardAndRetrieve(names)
        except cv2.error as error:
            raise self._failed(_reason(error)) from error
        return [[np.array(top, np.float32) for top in tops] for tops in found]


def for_opencv(prototxt: str) -> str:
    """The text in OpenCV's words: `round_mode` becomes `ceil_mode`."""
    return _ROUND_MODE.sub(
        lambda match: f"ceil_mode{match[1]}{'true' if match[2] in ('CEIL', '0') else 'false'}",
        prototxt,
    )


def named_tops(layer: str, tops: Sequence[F32]) -> Iterator[tuple[str, F32]]:
    """A layer's results by name: `layer`, or `layer:0`, `layer:1`, ... where it has several."""
    if len(tops) == 1:
        yield layer, tops[0]
        return
    for place, top in enumerate(tops):
        yield f"{layer}:{place}", top


def _fetched(net: CaffeNet) -> list[str]:
    """The layers that compute something; OpenCV drops Dropout and Silence."""
    return [layer.name for layer in net.layers if layer.tops and layer.type != "Dropout"]


def _reason(error: cv2.error) -> str:
    """What OpenCV says, on one line, without its version and source file."""
    text = str(getattr(error, "err", "") or error)
    return " ".join(text.split())
