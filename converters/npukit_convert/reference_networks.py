"""Well-known networks by their published structure, to hold the cost model against their times.

Only shapes matter to a cost model, so the weights are promises that nobody redeems: a network of
500 MB takes no memory. BatchNorm is left out, as it is folded into the convolution before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import onnx_ir as ir

from npukit_convert.graph import tidy

_OPSET, _IR = 13, 8


class _Builder:
    """Puts layers one after the other; each method returns what comes out."""

    def __init__(self, size: int) -> None:
        self.image = self._value("image", (1, 3, size, size))
        self._nodes: list[ir.Node] = []
        self._weights: list[ir.Value] = []

    def conv(
        self, x: ir.Value, inner: int, outer: int, kernel: int,
        stride: int = 1, groups: int = 1, act: str = "Relu", pad: int | None = None,
    ) -> ir.Value:  # fmt: skip
        weight = self._weight((outer, inner // groups, kernel, kernel))
        pads = [kernel // 2 if pad is None else pad] * 4
        out = self.add(
            "Conv", [x, weight, self._weight((outer,))],
            strides=[stride] * 2, pads=pads, group=groups,
        )  # fmt: skip
        return self.add(act, [out]) if act else out

    def max_pool(self, x: ir.Value, kernel: int, stride: int, pad: int = 0) -> ir.Value:
        return self.add(
            "MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4
        )

    def head(self, x: ir.Value, inner: int, classes: int = 1000) -> ir.Value:
        """Mean over the map, then one score for each class."""
        return self.dense(self.add("Flatten", [self.add("GlobalAveragePool", [x])]), inner, classes)

    def dense(self, x: ir.Value, inner: int, outer: int, act: str = "") -> ir.Value:
        weights = [self._weight((outer, inner)), self._weight((outer,))]
        out = self.add("Gemm", [x, *weights], transB=1)
        return self.add(act, [out]) if act else out

    def add(self, operator: str, inputs: list[ir.Value], **attributes: object) -> ir.Value:
        name = f"{operator}_{len(self._nodes)}"
        node = ir.node(operator, inputs, attributes, outputs=[ir.val(f"{name}_out")], name=name)  # type: ignore[arg-type]
        self._nodes.append(node)
        return node.outputs[0]

    def upsample(self, x: ir.Value) -> ir.Value:
        scales = ir.val("", const_value=ir.tensor(np.array([1, 1, 2, 2], np.float32)))
        scales.name = f"scales_{len(self._weights)}"
        self._weights.append(scales)
        node = ir.node(
            "Resize", [x, None, scales], {"mode": "nearest"},
            outputs=[ir.val(f"Resize_{len(self._nodes)}_out")], name=f"Resize_{len(self._nodes)}",
        )  # fmt: skip
        self._nodes.append(node)
        return node.outputs[0]

    def model(self, name: str, *outputs: ir.Value) -> ir.Model:
        for value in outputs:
            value.dtype = ir.DataType.FLOAT
        graph = ir.Graph(
            [self.image], outputs, nodes=self._nodes, initializers=self._weights,
            opset_imports={"": _OPSET}, name=name,
        )  # fmt: skip
        return tidy(ir.Model(graph, ir_version=_IR))

    def _weight(self, size: tuple[int, ...]) -> ir.Value:
        value = self._value(f"weight_{len(self._weights)}", size)

        def zeros() -> ir.TensorProtocol:
            return ir.tensor(np.zeros(size, np.float32))

        value.const_value = ir.LazyTensor(
            zeros, dtype=ir.DataType.FLOAT, shape=ir.Shape(size), name=value.name
        )
        self._weights.append(value)
        return value

    @staticmethod
    def _value(name: str, size: tuple[int, ...]) -> ir.Value:
        return ir.Value(name=name, shape=ir.Shape(size), type=ir.TensorType(ir.DataType.FLOAT))


def _resnet(blocks: tuple[int, ...], bottleneck: bool) -> ir.Model:
    """ResNet, arXiv:1512.03385 (stride in the 3x3, as torchvision and PaddleClas have it)."""
    net = _Builder(224)
    x, inner = net.max_pool(net.conv(net.image, 3, 64, 7, 2), 3, 2, 1), 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        outer = width * (4 if bottleneck else 1)
        for block in range(count):
            stride = 2 if stage and not block else 1
            if bottleneck:
                y = net.conv(net.conv(x, inner, width, 1), width, width, 3, stride)
                y = net.conv(y, width, outer, 1, act="")
            else:
                y = net.conv(net.conv(x, inner, width, 3, stride), width, width, 3, act="")
            if stride > 1 or inner != outer:
                x = net.conv(x, inner, outer, 1, stride, act="")
            x, inner = net.add("Relu", [net.add("Add", [y, x])]), outer
    return net.model("resnet", net.head(x, inner))


def _vgg16() -> ir.Model:
    """VGG-16, arXiv:1409.1556."""
    net = _Builder(224)
    x, inner = net.image, 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x, inner = net.conv(x, inner, width, 3), width
        x = net.max_pool(x, 2, 2)
    x = net.dense(net.add("Flatten", [x]), 512 * 49, 4096, "Relu")
    return net.model("vgg16", net.dense(net.dense(x, 4096, 4096, "Relu"), 4096, 1000))


def _alexnet() -> ir.Model:
    """AlexNet in one tower, arXiv:1404.5997."""
    net = _Builder(224)
    x = net.max_pool(net.conv(net.image, 3, 64, 11, 4, pad=2), 3, 2)
    x = net.max_pool(net.conv(x, 64, 192, 5), 3, 2)
    x = net.conv(net.conv(net.conv(x, 192, 384, 3), 384, 256, 3), 256, 256, 3)
    x = net.add("Flatten", [net.max_pool(x, 3, 2)])
    x = net.dense(net.dense(x, 256 * 36, 4096, "Relu"), 4096, 4096, "Relu")
    return net.model("alexnet", net.dense(x, 4096, 1000))


def _mobilenet_v1() -> ir.Model:
    """MobileNet, arXiv:1704.04861."""
    net = _Builder(224)
    x = net.conv(net.image, 3, 32, 3, 2)
    widths = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for place, (inner, outer) in enumerate(pairwise(widths)):
        stride = 2 if place in (1, 3, 5, 11) else 1
        x = net.conv(net.conv(x, inner, inner, 3, stride, groups=inner), inner, outer, 1)
    return net.model("mobilenet_v1", net.head(x, 1024))


def _mobilenet_v2() -> ir.Model:
    """MobileNetV2, arXiv:1801.04381, table 2."""
    net = _Builder(224)
    x, inner = net.conv(net.image, 3, 32, 3, 2, act="Clip"), 32
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
             (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
    for factor, outer, count, first in table:
        for block in range(count):
            stride, wide = (first if not block else 1), inner * factor
            y = net.conv(x, inner, wide, 1, act="Clip") if factor > 1 else x
            y = net.conv(y, wide, wide, 3, stride, groups=wide, act="Clip")
            y = net.conv(y, wide, outer, 1, act="")
            x = net.add("Add", [x, y]) if stride == 1 and inner == outer else y
            inner = outer
    return net.model("mobilenet_v2", net.head(net.conv(x, 320, 1280, 1, act="Clip"), 1280))


def _squeezenet() -> ir.Model:
    """SqueezeNet 1.0, arXiv:1602.07360, table 1."""
    net = _Builder(224)
    x, inner = net.max_pool(net.conv(net.image, 3, 96, 7, 2, pad=0), 3, 2), 96
    for place, (narrow, wide) in enumerate(
        ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
    ):
        y = net.conv(x, inner, narrow, 1)
        parts = [net.conv(y, narrow, wide, 1), net.conv(y, narrow, wide, 3)]
        x, inner = net.add("Concat", parts, axis=1), 2 * wide
        if place in (2, 6):
            x = net.max_pool(x, 3, 2)
    x = net.add("GlobalAveragePool", [net.conv(x, 512, 1000, 1)])
    return net.model("squeezenet", net.add("Flatten", [x]))


def _yolov3() -> ir.Model:
    """YOLOv3 on Darknet-53, arXiv:1804.02767, 80 classes, 608 x 608, without the selection."""
    net = _Builder(608)
    act = "LeakyRelu"
    x, kept = net.conv(net.image, 3, 32, 3, act=act), []
    for width, count in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        x = net.conv(x, width // 2, width, 3, 2, act=act)
        for _ in range(count):
            y = net.conv(net.conv(x, width, width // 2, 1, act=act), width // 2, width, 3, act=act)
            x = net.add("Add", [x, y])
        kept.append(x)
    outputs, inner = [], 1024
    for width, skip in ((512, 0), (256, 512), (128, 256)):
        if skip:
            x = net.upsample(net.conv(x, 2 * width, width, 1, act=act))
            x = net.add("Concat", [x, kept[3 if skip == 512 else 2]], axis=1)
            inner = width + skip
        for place in range(5):
            if place % 2:
                x = net.conv(x, width, 2 * width, 3, act=act)
            else:
                x = net.conv(x, 2 * width if place else inner, width, 1, act=act)
        y = net.conv(x, width, 2 * width, 3, act=act)
        outputs.append(net.conv(y, 2 * width, 255, 1, act=""))
    return net.model("yolov3", *outputs)


NETWORKS: Mapping[str, Callable[[], ir.Model]] = {
    "alexnet": _alexnet,
    "mobilenet_v1": _mobilenet_v1,
    "mobilenet_v2": _mobilenet_v2,
    "resnet18": lambda: _resnet((2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda: _resnet((3, 4, 6, 3), bottleneck=True),
    "resnet101": lambda: _resnet((3, 4, 23, 3), bottleneck=True),
    "squeezenet": _squeezenet,
    "vgg16": _vgg16,
    "yolov3": _yolov3,
}
"""Name to a function that makes the network, batch 1."""
