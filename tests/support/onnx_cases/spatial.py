"""Convolutions, pooling, resizes, padding, and moves between channels and pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from support.onnx_cases.case import Case, noise

# Operator, its operands after the first (None where one is left out), its attributes.
Node = tuple[str, tuple[ArrayLike | None, ...], dict[str, object]]


def chain(
    title: str, size: Sequence[int], layers: Sequence[str], *nodes: Node, **more: object
) -> Case:
    """A case of nodes one after the other."""
    lines, constants, value = [], {}, "x"
    for i, (operator, operands, attributes) in enumerate(nodes):
        names = [value]
        for j, numbers in enumerate(operands):
            names.append("" if numbers is None else f"c{i}_{j}")
            if numbers is not None:
                constants[names[-1]] = numbers
        value = "y" if i == len(nodes) - 1 else f"v{i}"
        inside = ", ".join(f"{name} = {_text(given)}" for name, given in attributes.items())
        how = f"<{inside}>" if inside else ""
        lines.append(f"{value} = {operator} {how} ({', '.join(names)})")
    body = " ".join(lines)
    return Case(title, {"x": size}, body, layers, constants=constants, **{"opset": 19, **more})  # type: ignore[arg-type]


def _text(given: object) -> str:
    return f'"{given}"' if isinstance(given, str) else str(given)


def ints(*numbers: int) -> NDArray[np.int64]:
    """Sizes or pads."""
    return np.asarray(numbers, np.int64)


def conv(weights: tuple[int, ...], bias: bool = True, **how: object) -> Node:
    """A Conv with its weights."""
    operands = (noise(*weights), noise(weights[0])) if bias else (noise(*weights),)
    return "Conv", operands, how


def transposed(weights: tuple[int, ...], bias: bool = True, **how: object) -> Node:
    """A ConvTranspose with its weights, (in, out / group, height, width)."""
    outputs = weights[1] * int(str(how.get("group", 1)))
    operands = (noise(*weights), noise(outputs)) if bias else (noise(*weights),)
    return "ConvTranspose", operands, how


def resized(scales: tuple[float, float], places: str, mode: str = "linear", **how: object) -> Node:
    """A Resize by scales."""
    numbers = np.asarray([1, 1, *scales], np.float32)
    return (
        "Resize",
        (None, numbers),
        {"mode": mode, "coordinate_transformation_mode": places, **how},
    )


def sized(size: tuple[int, ...], places: str, mode: str = "linear", **how: object) -> Node:
    """A Resize to a size."""
    how = {"mode": mode, "coordinate_transformation_mode": places, **how}
    return "Resize", (None, None, ints(*size)), how


def padded(*pads: int, mode: str = "constant", value: float | None = None) -> Node:
    """A Pad; begin of all axes, then end."""
    operands = (ints(*pads),) if value is None else (ints(*pads), np.float32(value))
    return "Pad", operands, {"mode": mode}


def pool(operator: str, kernel: int, stride: int, **how: object) -> Node:
    """A square MaxPool or AveragePool."""
    return operator, (), {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, **how}


def reshaped(*size: int) -> Node:
    """A Reshape."""
    return "Reshape", (ints(*size),), {}


def turned(*order: int) -> Node:
    """A Transpose."""
    return "Transpose", (), {"perm": list(order)}


RELU: Node = ("Relu", (), {})
CONV, DECONV, POOL = ("Convolution",), ("Deconvolution",), ("Pooling",)
EDGE_POOL = ("Slice", "Concat", "Slice", "Concat", "Pooling")
EDGE_CONV = (*EDGE_POOL[:4], "Convolution")
EDGE_DECONV = ("Slice", "Concat", "Slice", "Concat", "Deconvolution")
_IMAGE = (1, 3, 16, 20)
_ODD = (1, 4, 15, 13)


def _convolutions() -> list[Case]:
    def case(title: str, size: tuple[int, ...], node: Node) -> Case:
        return chain(title, size, CONV, node)

    same = {"auto_pad": "SAME_UPPER"}
    return [
        case("Conv 3x3, padding 1", _IMAGE, conv((8, 3, 3, 3), pads=[1] * 4)),
        case("Conv 1x1 without bias", _IMAGE, conv((8, 3, 1, 1), bias=False)),
        case(
            "Conv 3x3, stride 2, odd size",
            _ODD,
            conv((8, 4, 3, 3), strides=[2, 2], pads=[1] * 4),
        ),
        case("Conv depthwise 3x3", _ODD, conv((4, 1, 3, 3), group=4, pads=[1] * 4)),
        case(
            "Conv depthwise with two filters for each channel",
            _ODD,
            conv((8, 1, 3, 3), group=4),
        ),
        case("Conv of 2 groups", _ODD, conv((6, 2, 3, 3), group=2, pads=[1] * 4)),
        case("Conv dilation 2", _IMAGE, conv((8, 3, 3, 3), dilations=[2, 2], pads=[2] * 4)),
        case(
            "Conv dilation 2 and 3",
            _IMAGE,
            conv((8, 3, 3, 3), dilations=[2, 3], pads=[2, 3, 2, 3]),
        ),
        case(
            "Conv 3x5, stride 1 and 2",
            _IMAGE,
            conv((8, 3, 3, 5), strides=[1, 2], pads=[1, 2, 1, 2]),
        ),
        case(
            "Conv SAME_UPPER, stride 2 (pads 0 and 1)",
            _IMAGE,
            conv((8, 3, 3, 3), strides=[2, 2], **same),
        ),
        case(
            "Conv SAME_UPPER 5x5, stride 2",
            _IMAGE,
            conv((8, 3, 5, 5), strides=[2, 2], **same),
        ),
        case(
            "Conv SAME_LOWER, stride 2",
            _IMAGE,
            conv((8, 3, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
        ),
        case(
            "Conv depthwise, pads 0 and 1, stride 2",
            _IMAGE,
            conv((3, 1, 3, 3), group=3, strides=[2, 2], pads=[0, 0, 1, 1]),
        ),
        case("Conv pads 2 and 1, stride 1", _IMAGE, conv((8, 3, 3, 3), pads=[2, 0, 1, 3])),
        case(
            "Conv dilation 2, pads 1 and 2",
            _IMAGE,
            conv((8, 3, 3, 3), dilations=[2, 2], pads=[1, 1, 2, 2]),
        ),
        case("Conv of a batch of 2", (2, 3, 8, 8), conv((4, 3, 3, 3))),
    ]


def _transposed() -> list[Case]:
    def case(title: str, size: tuple[int, ...], node: Node, **more: object) -> Case:
        return chain(title, size, DECONV, node, **more)

    small = (1, 4, 7, 9)
    return [
        case("ConvTranspose 2x2, stride 2", small, transposed((4, 6, 2, 2), strides=[2, 2])),
        case(
            "ConvTranspose 4x4, stride 2, padding 1",
            small,
            transposed((4, 6, 4, 4), strides=[2, 2], pads=[1] * 4),
        ),
        case(
            "ConvTranspose 3x3, stride 2, output padding 1",
            small,
            transposed((4, 6, 3, 3), strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
        ),
        case(
            "ConvTranspose without bias, pads 0 and 1",
            small,
            transposed((4, 6, 3, 3), bias=False, strides=[2, 2], pads=[0, 1, 1, 0]),
        ),
        case(
            "ConvTranspose depthwise 4x4",
            small,
            transposed((4, 1, 4, 4), group=4, strides=[2, 2], pads=[1] * 4),
        ),
        case("ConvTranspose of 2 groups", small, transposed((4, 3, 3, 3), group=2, strides=[2, 2])),
        case(
            "ConvTranspose dilation 2",
            small,
            transposed((4, 6, 3, 3), dilations=[2, 2], pads=[1] * 4),
        ),
        case(
            "ConvTranspose dilation 2, pads 1 and 2",
            small,
            transposed((4, 6, 3, 3), dilations=[2, 2], pads=[1, 1, 2, 2]),
        ),
        case("ConvTranspose 2x3, stride 2 and 3", small, transposed((4, 6, 2, 3), strides=[2, 3])),
        case(
            "ConvTranspose SAME_UPPER, stride 2",
            small,
            transposed((4, 6, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
        ),
        case(
            "ConvTranspose with its output's shape",
            small,
            transposed((4, 6, 3, 3), strides=[2, 2], output_shape=[14, 18]),
        ),
        case(
            "ConvTranspose 1x1 with more padding than kernel",
            small,
            transposed((4, 6, 1, 1), strides=[2, 2], pads=[1] * 4),
        ),
        case(
            "ConvTranspose over 1 MiB for OMG: in parts",
            (1, 64, 6, 40),
            transposed((64, 512, 4, 4), bias=False, strides=[2, 2], pads=[1] * 4),
        ),
        case(
            "ConvTranspose depthwise over 1 MiB for OMG: in groups of parts",
            (1, 512, 4, 4),
            transposed((512, 1, 4, 4), strides=[2, 2], pads=[1] * 4, group=512),
        ),
    ]


def _pooling() -> list[Case]:
    def case(
        title: str,
        size: tuple[int, ...],
        *nodes: Node,
        layers: tuple[str, ...] = POOL,
        **more: object,
    ) -> Case:
        return chain(title, size, layers, *nodes, **more)

    even, odd, ave = (1, 2, 112, 112), (1, 2, 15, 13), "AveragePool"
    return [
        case("MaxPool of ResNet, 112 to 56", even, pool("MaxPool", 3, 2, pads=[1] * 4)),
        case(
            "MaxPool of ResNet, ceil_mode, 112 to 57",
            even,
            pool("MaxPool", 3, 2, pads=[1] * 4, ceil_mode=1),
        ),
        case("MaxPool 2x2, even size", even, pool("MaxPool", 2, 2)),
        case("MaxPool 2x2, odd size: floor", odd, pool("MaxPool", 2, 2)),
        case("MaxPool 2x2, odd size: ceil_mode", odd, pool("MaxPool", 2, 2, ceil_mode=1)),
        case(
            "MaxPool 2x2, odd size: SAME_UPPER", odd, pool("MaxPool", 2, 2, auto_pad="SAME_UPPER")
        ),
        case("MaxPool 3x3, stride 1, padding 1", odd, pool("MaxPool", 3, 1, pads=[1] * 4)),
        case(
            "MaxPool 3x3 SAME_UPPER, stride 2", even, pool("MaxPool", 3, 2, auto_pad="SAME_UPPER")
        ),
        case(
            "MaxPool 2x2, stride 1, pads 0 and 1",
            odd,
            pool("MaxPool", 2, 1, pads=[0, 0, 1, 1]),
            layers=EDGE_POOL,
        ),
        case(
            "MaxPool 2x2 SAME_LOWER, stride 1",
            even,
            pool("MaxPool", 2, 1, auto_pad="SAME_LOWER"),
            layers=EDGE_POOL,
        ),
        case(
            "MaxPool 2x3 window",
            odd,
            ("MaxPool", (), {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 1, 0, 1]}),
        ),
        case(
            "MaxPool floor along height, ceiling along width",
            (1, 2, 15, 14),
            ("MaxPool", (), {"kernel_shape": [2, 3], "strides": [2, 2], "pads": [0, 0, 0, 1]}),
            layers=("Slice", "Concat", "Pooling"),
        ),
        case("AveragePool 2x2", even, pool(ave, 2, 2)),
        case("AveragePool 2x2, odd size: floor", odd, pool(ave, 2, 2)),
        case(
            "AveragePool 3x3, padding counted",
            odd,
            pool(ave, 3, 1, pads=[1] * 4, count_include_pad=1),
        ),
        case(
            "AveragePool 3x3, stride 2, padding not counted",
            odd,
            pool(ave, 3, 2, pads=[1] * 4),
            layers=("Pooling", "Scale"),
        ),
        case(
            "AveragePool 3x3, padding not counted",
            even,
            pool(ave, 3, 1, pads=[1] * 4),
            layers=("Pooling", "Scale"),
        ),
        case("AveragePool SAME_UPPER 2x2, odd size", odd, pool(ave, 2, 2, auto_pad="SAME_UPPER")),
        case(
            "AveragePool ceil_mode, padding counted",
            (1, 2, 16, 14),
            pool(ave, 3, 2, pads=[1] * 4, ceil_mode=1, count_include_pad=1),
        ),
        case("AveragePool ceil_mode without padding", (1, 2, 15, 13), pool(ave, 2, 2, ceil_mode=1)),
        case(
            "AveragePool pads 0 and 1, counted",
            even,
            pool(ave, 3, 2, pads=[0, 0, 1, 1], count_include_pad=1),
            layers=("Convolution", "Pooling"),
        ),
        case(
            "AveragePool pads 0 and 1, stride 1, not counted",
            odd,
            pool(ave, 2, 1, pads=[1, 0, 1, 1]),
            layers=("Convolution", "Pooling", "Scale"),
        ),
        case("GlobalAveragePool of 15x13 pixels", odd, ("GlobalAveragePool", (), {})),
        case("GlobalMaxPool", odd, ("GlobalMaxPool", (), {})),
        case(
            "GlobalAveragePool of 128x144 pixels",
            (1, 2, 128, 144),
            ("GlobalAveragePool", (), {}),
        ),
        case(
            "GlobalAveragePool of 127x131 pixels",
            (1, 2, 127, 131),
            ("GlobalAveragePool", (), {}),
        ),
    ]


def _resizes() -> list[Case]:
    def case(
        title: str, size: tuple[int, ...], node: Node, layers: tuple[str, ...], **more: object
    ) -> Case:
        return chain(title, size, layers, node, **more)

    small, one = (1, 3, 6, 7), (1, 4, 1, 1)
    half, pytorch, aligned, asymmetric = (
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
    )
    matrices = ("Permute", "InnerProduct", "Permute", "InnerProduct")
    no = {"omg": "a whole factor"}
    floor = {"nearest_mode": "floor"}
    return [
        case("Resize linear half_pixel x2", small, resized((2, 2), half), EDGE_DECONV),
        case("Resize linear half_pixel x3", small, resized((3, 3), half), EDGE_DECONV),
        case("Resize linear half_pixel x4", small, resized((4, 4), pytorch), EDGE_DECONV),
        case("Resize linear half_pixel x8", small, resized((8, 8), pytorch), EDGE_DECONV),
        case("Resize linear half_pixel x2 and x4", small, resized((2, 4), half), EDGE_DECONV),
        case(
            "Resize linear half_pixel x2 of the width",
            small,
            resized((1, 2), half),
            ("Slice", "Concat", "Deconvolution"),
        ),
        case(
            "Resize linear half_pixel x2 to a size", small, sized((1, 3, 12, 14), half), EDGE_DECONV
        ),
        case(
            "Resize linear half_pixel x2 of 2x1 pixels",
            (1, 3, 2, 1),
            resized((2, 2), half),
            ("Slice", "Concat", "Deconvolution"),
        ),
        case("Resize linear asymmetric x2", small, resized((2, 2), asymmetric), EDGE_DECONV),
        case(
            "Resize cubic half_pixel x2",
            small,
            resized((2, 2), half, "cubic", cubic_coeff_a=-0.75),
            EDGE_DECONV,
        ),
        case("Resize linear half_pixel to a half", (1, 3, 12, 14), resized((0.5, 0.5), half), POOL),
        case(
            "Resize linear half_pixel to a quarter",
            (1, 3, 12, 16),
            resized((0.25, 0.25), half),
            CONV,
        ),
        case(
            "Resize linear half_pixel to a third", (1, 3, 12, 15), sized((1, 3, 4, 5), half), CONV
        ),
        case(
            "Resize cubic half_pixel to a half",
            (1, 3, 12, 16),
            resized((0.5, 0.5), half, "cubic"),
            EDGE_CONV,
        ),
        case(
            "Resize linear, height up, width down",
            (1, 3, 6, 12),
            resized((2, 0.5), half),
            ("Slice", "Concat", "Deconvolution", "Pooling"),
        ),
        case("Resize linear half_pixel x1.5", small, sized((1, 3, 9, 10), half), matrices, **no),
        case(
            "Resize linear half_pixel to 5x5",
            (1, 3, 8, 9),
            sized((1, 3, 5, 5), half),
            matrices,
            **no,
        ),
        case(
            "Resize linear with antialiasing to a third",
            (1, 3, 12, 12),
            sized((1, 3, 4, 4), half, antialias=1),
            EDGE_CONV,
        ),
        case("Resize cubic x1.5", small, sized((1, 3, 9, 10), half, "cubic"), matrices, **no),
        case(
            "Resize linear align_corners",
            small,
            sized((1, 3, 12, 13), aligned),
            matrices,
        ),
        case("Resize nearest x2", small, resized((2, 2), asymmetric, "nearest", **floor), DECONV),
        case("Resize nearest half_pixel x3", small, resized((3, 3), half, "nearest"), DECONV),
        case(
            "Resize nearest x2 and x3",
            small,
            resized((2, 3), asymmetric, "nearest", **floor),
            DECONV,
        ),
        case(
            "Resize nearest to a half",
            (1, 3, 12, 14),
            resized((0.5, 0.5), asymmetric, "nearest", **floor),
            CONV,
        ),
        case(
            "Resize nearest x1.5",
            small,
            resized((1.5, 1.5), asymmetric, "nearest", **floor),
            matrices,
        ),
        case(
            "Resize of 1x1 to 6x5, linear",
            one,
            sized((1, 4, 6, 5), pytorch),
            DECONV,
        ),
        case(
            "Resize of 1x1 to 6x5, nearest",
            one,
            sized((1, 4, 6, 5), asymmetric, "nearest"),
            DECONV,
        ),
        case("Resize to the same size", small, resized((1, 1), half), ("Power",)),
    ]


def _paddings() -> list[Case]:
    def case(
        title: str,
        size: tuple[int, ...],
        *nodes: Node,
        layers: tuple[str, ...] = CONV,
        **more: object,
    ) -> Case:
        return chain(title, size, layers, *nodes, **more)

    small, rows = (1, 3, 6, 7), EDGE_POOL[:4]
    next_conv = conv((4, 3, 3, 3), strides=[2, 2])
    lowest = float(np.finfo(np.float32).min)
    return [
        case("Pad with zeros", small, padded(0, 0, 1, 2, 0, 0, 1, 2)),
        case("Pad with zeros, pads 0 and 1", small, padded(0, 0, 0, 0, 0, 0, 1, 1)),
        case("Pad with zeros before a Conv", small, padded(0, 0, 0, 0, 0, 0, 1, 1), next_conv),
        case(
            "Pad with zeros before a SAME Conv",
            small,
            padded(0, 0, 1, 1, 0, 0, 1, 1),
            conv((4, 3, 3, 3), auto_pad="SAME_UPPER"),
        ),
        case(
            "Pad with zeros before an AveragePool",
            small,
            padded(0, 0, 1, 1, 0, 0, 1, 1),
            pool("AveragePool", 3, 1),
            layers=POOL,
        ),
        case(
            "Pad with zeros before a MaxPool",
            small,
            padded(0, 0, 1, 1, 0, 0, 1, 1),
            pool("MaxPool", 3, 2),
            layers=("Convolution", "Pooling"),
        ),
        case(
            "Pad with zeros after a Relu, before a MaxPool",
            small,
            RELU,
            padded(0, 0, 1, 1, 0, 0, 1, 1),
            pool("MaxPool", 3, 2),
            layers=("ReLU", "Pooling"),
        ),
        case(
            "Pad with the lowest number before a MaxPool",
            small,
            padded(0, 0, 1, 1, 0, 0, 1, 1, value=lowest),
            pool("MaxPool", 3, 2),
            layers=POOL,
        ),
        case(
            "Pad with a constant",
            small,
            padded(0, 0, 1, 2, 0, 0, 3, 0, value=0.7),
            layers=("Convolution", "Convolution", "Convolution", "Eltwise"),
        ),
        case("Pad reflect", small, padded(0, 0, 2, 1, 0, 0, 1, 3, mode="reflect"), layers=rows),
        case("Pad edge", small, padded(0, 0, 2, 1, 0, 0, 1, 3, mode="edge"), layers=rows),
        case("Pad wrap", small, padded(0, 0, 2, 1, 0, 0, 1, 3, mode="wrap"), layers=rows),
        case("Pad of the channels (BlazeFace)", small, padded(0, 0, 0, 0, 0, 5, 0, 0)),
        case("Pad of channels and pixels", small, padded(0, 1, 1, 0, 0, 2, 1, 0)),
        case(
            "Pad of the channels with a constant",
            small,
            padded(0, 1, 1, 0, 0, 2, 1, 0, value=2.5),
            layers=("Convolution", "Convolution", "Convolution", "Eltwise"),
        ),
        case("Pad negative: a crop", small, padded(0, 0, -1, -2, 0, 0, 0, -1)),
        case("Pad negative and positive", small, padded(0, 0, -1, 2, 0, 0, 2, -3)),
    ]


def _shuffles() -> list[Case]:
    def case(title: str, size: tuple[int, ...], *nodes: Node, layers: tuple[str, ...]) -> Case:
        return chain(title, size, layers, *nodes)

    deep, wide = (1, 12, 4, 5), (1, 3, 8, 6)
    return [
        case(
            "DepthToSpace CRD (PixelShuffle)",
            deep,
            ("DepthToSpace", (), {"blocksize": 2, "mode": "CRD"}),
            layers=DECONV,
        ),
        case(
            "DepthToSpace DCR",
            deep,
            ("DepthToSpace", (), {"blocksize": 2, "mode": "DCR"}),
            layers=DECONV,
        ),
        case("SpaceToDepth", wide, ("SpaceToDepth", (), {"blocksize": 2}), layers=CONV),
        case(
            "PixelShuffle as a chain",
            deep,
            reshaped(1, 3, 2, 2, 4, 5),
            turned(0, 1, 4, 2, 5, 3),
            reshaped(1, 3, 8, 10),
            layers=DECONV,
        ),
        case(
            "PixelUnshuffle as a chain",
            wide,
            reshaped(1, 3, 4, 2, 3, 2),
            turned(0, 1, 3, 5, 2, 4),
            reshaped(1, 12, 4, 3),
            layers=CONV,
        ),
        case(
            "Channel shuffle as a chain",
            deep,
            reshaped(1, 3, 4, 4, 5),
            turned(0, 2, 1, 3, 4),
            reshaped(1, 12, 4, 5),
            layers=CONV,
        ),
    ]


def _refused() -> list[Case]:
    def case(title: str, size: tuple[int, ...], node: Node, why: str) -> Case:
        return chain(title, size, (), node, refused=why)

    dilated = {"kernel_shape": [2, 2], "dilations": [2, 2]}
    return [
        case("Conv over one axis", (1, 3, 16), ("Conv", (noise(4, 3, 3),), {}), "2-D convolution"),
        case(
            "Conv over three axes",
            (1, 3, 6, 6, 6),
            ("Conv", (noise(4, 3, 3, 3, 3),), {}),
            "5 dimensions",
        ),
        case(
            "MaxPool over one axis",
            (1, 3, 16),
            ("MaxPool", (), {"kernel_shape": [2]}),
            "2-D pooling",
        ),
        case("MaxPool dilation 2", _ODD, ("MaxPool", (), dilated), "without dilation"),
    ]


CASES: tuple[Case, ...] = (
    *_convolutions(),
    *_transposed(),
    *_pooling(),
    *_resizes(),
    *_paddings(),
    *_shuffles(),
    *_refused(),
)
