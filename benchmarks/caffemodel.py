"""`python -m benchmarks.caffemodel`: writing 25 million weights, against protobuf's own way.

The peer fills a packed repeated float field and serialises the message, as converters that use
`caffe_pb2` do; ONNX's `float_data` is such a field. Both write into memory, one after the other.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
import onnx

from npukit_convert.onnx_to_caffe.caffemodel import write_caffemodel
from npukit_convert.onnx_to_caffe.net import CaffeNet, Layer

PARAMETERS = 25_000_000
LAYERS = 50
ROUNDS = 3


def network() -> CaffeNet:
    """Fifty layers of equal size."""
    rng = np.random.default_rng(0)
    blobs = rng.standard_normal((LAYERS, PARAMETERS // LAYERS // 100, 100), dtype=np.float32)
    layers = tuple(
        Layer(f"l{i}", "InnerProduct", ("x",), (f"l{i}",), blobs=(blob,))
        for i, blob in enumerate(blobs)
    )
    return CaffeNet("writers", {}, layers, {}, {}, {})


def ours(net: CaffeNet) -> bytes:
    file = io.BytesIO()
    write_caffemodel(net, file)
    return file.getvalue()


def protobuf(net: CaffeNet) -> bytes:
    parts = []
    for layer in net.layers:
        tensor = onnx.TensorProto(name=layer.name)
        tensor.float_data.extend(layer.blobs[0].reshape(-1).tolist())
        parts.append(tensor.SerializeToString())
    return b"".join(parts)


def seconds(write: Callable[[CaffeNet], bytes], net: CaffeNet) -> float:
    start = time.perf_counter()
    assert len(write(net)) > PARAMETERS * 4
    return time.perf_counter() - start


def main() -> None:
    net = network()
    times = [(seconds(ours, net), seconds(protobuf, net)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    print("| 25 M weights | npukit | protobuf, `extend` | ratio |")
    print("|---|---|---|---|")
    print(f"| write a caffemodel | {mine:.3f} s | {other:.3f} s | {other / mine:.1f}x |")
    assert mine < 1, "a caffemodel of 25 M weights takes a second or more"


if __name__ == "__main__":
    main()
