"""Networks small enough to be quantised in a blink, and ONNX Runtime's own way to do it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from support.graphs import graph, noise

from npukit.preprocess import Preprocess
from npukit.runtime.declaration import InputSpec

BYTE = 1.0 / 255.0
SIZE = 16  # height and width of the small networks' pictures
PICTURE = InputSpec((1, 3, SIZE, SIZE), Preprocess(scale=(BYTE, BYTE, BYTE)))


class _Reader(CalibrationDataReader):
    def __init__(self, feeds: Iterable[Mapping[str, Any]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Any:
        return next(self._feeds, None)


def int8(network: bytes, feeds: Iterable[Mapping[str, Any]], **options: Any) -> bytes:
    """QDQ by ONNX Runtime: uint8 activations, int8 weights by channel, MinMax."""
    logging.getLogger().setLevel(logging.ERROR)  # it advises to preprocess, on the root logger
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(network)
        quantize_static(
            str(before),
            str(after),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            **options,
        )
        return after.read_bytes()


def alpha_network(seed: int = 0) -> bytes:
    """`image` (1, 3, 16, 16) to `alpha` (1, 1, 16, 16), three convolutions."""
    return graph(
        """(float[1,3,16,16] image) => (float[1,1,16,16] alpha) {
          a = Conv<pads=[1,1,1,1]>(image, w0)
          b = Relu(a)
          c = Conv<pads=[1,1,1,1]>(b, w1)
          d = Relu(c)
          e = Conv<pads=[1,1,1,1]>(d, w2)
          alpha = Sigmoid(e)
        }""",
        w0=noise(8, 3, 3, 3, seed=seed),
        w1=noise(8, 8, 3, 3, seed=seed + 1),
        w2=noise(1, 8, 3, 3, seed=seed + 2),
    )


def state_network() -> bytes:
    """`sum = 0.5 before + mean of the picture`: what it was shown stays in its state."""
    return graph(
        """(float[1,3,16,16] image, float[1,1,16,16] before) => (float[1,1,16,16] sum) {
          gray = Conv(image, w)
          old = Mul(before, half)
          sum = Add(gray, old)
        }""",
        w=np.full((1, 3, 1, 1), 1.0 / 3.0),
        half=np.array(0.5),
    )


def write_clip(path: Path, pictures: Iterable[Any], rate: int = 25) -> Path:
    """Lossless video of RGB pictures (H, W, 3), as full-range YUV of BT.709."""
    with av.open(str(path), "w") as container:
        stream = None
        for rgb in pictures:
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                stream.width, stream.height = rgb.shape[1], rgb.shape[0]
                stream.pix_fmt = "yuv420p"
                stream.options = {"qp": "0", "preset": "ultrafast", "threads": "1"}
                stream.codec_context.color_range = 2
                stream.codec_context.colorspace = 1
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="JPEG"
            )
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode(None))
    return path


def scenes(count: int, seed: int = 0, size: int = 32) -> list[Any]:
    """Pictures that have nothing to do with one another: smooth random colours, warm on average."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        cells = random.uniform(0, 200, (4, 4, 3)) + np.array([55.0, 20.0, 0.0])
        made.append(np.kron(cells, np.ones((size // 4, size // 4, 1))).round().astype(np.uint8))
    return made
