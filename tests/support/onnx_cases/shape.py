"""Shapes, parts, products of matrices and reductions."""

from __future__ import annotations

from support.onnx_cases.case import Case, noise

X = {"x": (1, 6, 4, 5)}
TWO = {"x": (2, 6, 4, 5)}


def _slice(
    title: str,
    layers: list[str],
    starts: list[int],
    ends: list[int],
    axes: list[int],
    steps: list[int] | None = None,
    inputs: dict[str, tuple[int, ...]] | None = None,
    refused: str = "",
) -> Case:
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps or [1] * len(axes)}
    body = "y = Slice(x, starts, ends, axes, steps)"
    return Case(title, inputs or X, body, layers, constants=numbers, refused=refused)


def _reduce(
    title: str, operator: str, axes: list[int], keep: int, layers: list[str], refused: str = ""
) -> Case:
    body = f"y = {operator} <keepdims = {keep}> (x, axes)"
    return Case(title, TWO, body, layers, constants={"axes": axes}, opset=18, refused=refused)


_SHAPES = [
    Case("Flatten", TWO, "y = Flatten(x)", ["Flatten"]),
    Case("Flatten from axis 2", TWO, "y = Flatten <axis = 2> (x)", ["Reshape"]),
    Case("Reshape", TWO, "y = Reshape(x, s)", ["Reshape"], constants={"s": [2, 3, 8, 5]}),
    Case("Reshape of the batch", TWO, "y = Reshape(x, s)", ["Reshape"], constants={"s": [4, 60]}),
    Case("Reshape with 0 and -1", TWO, "y = Reshape(x, s)", ["Reshape"], constants={"s": [0, -1]}),
    Case(
        "Reshape to the same shape",
        TWO,
        "h = Reshape(x, s) y = Relu(h)",
        ["ReLU"],
        constants={"s": [2, 6, 4, 5]},
    ),
    Case("Squeeze", {"x": (2, 6, 1, 1)}, "y = Squeeze(x, a)", ["Reshape"], constants={"a": [2, 3]}),
    Case("Unsqueeze", {"x": (2, 6)}, "y = Unsqueeze(x, a)", ["Reshape"], constants={"a": [2, 3]}),
    Case(
        "Reshape to five dimensions",
        X,
        "h = Reshape(x, s) y = Relu(h)",
        constants={"s": [1, 2, 3, 4, 5]},
        refused="5 dimensions",
    ),
    Case("Transpose", TWO, "y = Transpose <perm = [0, 2, 3, 1]> (x)", ["Permute"]),
    Case("Transpose of two axes", {"x": (3, 4)}, "y = Transpose(x)", ["Permute"]),
    Case(
        "Transpose of axes of size 1",
        {"x": (2, 6, 1, 1)},
        "y = Transpose <perm = [0, 2, 3, 1]> (x)",
        ["Reshape"],
    ),
    Case(
        "Transpose to the same order",
        X,
        "h = Transpose <perm = [0, 1, 2, 3]> (x) y = Relu(h)",
        ["ReLU"],
    ),
    Case("Shape", X, "y = Shape(x)", refused="sizes or integers"),
]
_PARTS = [
    Case(
        "Concat of channels",
        {"a": (1, 2, 4, 5), "b": (1, 3, 4, 5)},
        "y = Concat <axis = 1> (a, b)",
        ["Concat"],
    ),
    Case(
        "Concat of columns, negative axis",
        {"a": (1, 2, 4, 5), "b": (1, 2, 4, 1)},
        "y = Concat <axis = -1> (a, b)",
        ["Concat"],
    ),
    Case(
        "Concat with a constant",
        X,
        "y = Concat <axis = 1> (x, c)",
        constants={"c": noise(1, 1, 4, 5)},
        refused="constant",
    ),
    Case(
        "Split",
        X,
        "a, b = Split <axis = 1> (x, sizes) y = Relu(a) z = Sigmoid(b)",
        ["Slice", "ReLU", "Sigmoid"],
        constants={"sizes": [2, 4]},
        outputs=("y", "z"),
    ),
    Case(
        "Split of rows, one part unused",
        X,
        "a, b, c = Split <axis = 2> (x, sizes) y = Relu(a) z = Relu(c)",
        ["Convolution", "Convolution", "ReLU", "ReLU"],
        constants={"sizes": [1, 2, 1]},
        outputs=("y", "z"),
    ),
    Case(
        "Slices that are the whole",
        X,
        "a = Slice(x, zero, two, one) b = Slice(x, two, end, one) y = Relu(a) z = Relu(b)",
        ["Slice", "ReLU", "ReLU"],
        constants={"zero": [0], "one": [1], "two": [2], "end": [2**31]},
        outputs=("y", "z"),
    ),
    _slice("Slice of channels", ["Convolution"], [1], [4], [1]),
    _slice("Slice of channels, backwards", ["Convolution"], [5], [-7], [1], [-2]),
    _slice("Crop", ["Convolution"], [1, 2], [-1, 5], [2, 3]),
    _slice("Slice of channels and a crop", ["Convolution", "Convolution"], [2, 1], [5, 3], [1, 2]),
    _slice("Every second row and column", ["Convolution"], [1, 0], [9, 9], [2, 3], [2, 2]),
    _slice(
        "Crop of more than one kernel",
        ["Convolution", "Convolution"],
        [300],
        [310],
        [3],
        inputs={"x": (1, 2, 1, 320)},
    ),
    _slice(
        "Slice of two dimensions",
        ["Reshape", "Convolution", "Reshape"],
        [1],
        [4],
        [1],
        inputs={"x": (2, 6)},
    ),
    _slice(
        "Slice of three dimensions",
        ["Reshape", "Convolution", "Reshape"],
        [1],
        [4],
        [2],
        inputs={"x": (2, 3, 6)},
    ),
    _slice("Slice of the batch", [], [0], [1], [0], inputs=TWO, refused="along the batch"),
    Case(
        "Focus",
        {"x": (1, 3, 4, 6)},
        "a = Slice(x, z, e, h, t) b = Slice(x, o, e, h, t) ae = Slice(a, z, e, w, t) "
        "ao = Slice(a, o, e, w, t) be = Slice(b, z, e, w, t) bo = Slice(b, o, e, w, t) "
        "y = Concat <axis = 1> (ae, be, ao, bo)",
        ["Convolution"] * 6 + ["Concat"],
        constants={"z": [0], "o": [1], "e": [2**31], "h": [2], "w": [3], "t": [2]},
    ),
    Case(
        "Gather of channels (RGB to BGR)",
        {"x": (1, 3, 4, 5)},
        "y = Gather <axis = 1> (x, i)",
        ["Convolution"],
        constants={"i": [2, 1, 0]},
    ),
    Case(
        "Gather of one channel",
        {"x": (1, 3, 4, 5)},
        "y = Gather <axis = 1> (x, i)",
        ["Convolution", "Reshape"],
        constants={"i": 1},
    ),
]
_PRODUCTS = [
    Case(
        "Gemm",
        {"x": (2, 6)},
        "y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, w, b)",
        ["InnerProduct"],
        constants={"w": noise(4, 6), "b": noise(4)},
    ),
    Case(
        "Gemm without bias",
        {"x": (2, 6)},
        "y = Gemm(x, w)",
        ["InnerProduct"],
        constants={"w": noise(6, 4)},
    ),
    Case(
        "Gemm of a transposed blob",
        {"x": (6, 2)},
        "y = Gemm <transA = 1> (x, w)",
        ["Permute", "InnerProduct"],
        constants={"w": noise(6, 4)},
    ),
    Case(
        "MatMul",
        {"x": (2, 6)},
        "y = MatMul(x, w)",
        ["InnerProduct"],
        constants={"w": noise(6, 4)},
    ),
    Case(
        "MatMul of three dimensions",
        {"x": (2, 3, 6)},
        "y = MatMul(x, w)",
        ["InnerProduct"],
        constants={"w": noise(6, 4)},
    ),
    Case(
        "MatMul of four dimensions",
        {"x": (1, 2, 3, 6)},
        "y = MatMul(x, w)",
        ["InnerProduct"],
        constants={"w": noise(6, 4)},
    ),
    Case(
        "Linear of three dimensions",
        {"x": (2, 3, 6)},
        "h = MatMul(x, w) y = Add(b, h)",
        ["InnerProduct", "Scale"],
        constants={"w": noise(6, 4), "b": noise(4)},
    ),
    Case(
        "MatMul with the constant on the left",
        {"x": (2, 6, 3)},
        "y = MatMul(w, x)",
        ["Permute", "InnerProduct", "Permute"],
        constants={"w": noise(4, 6)},
    ),
    Case(
        "MatMul of two blobs",
        {"a": (2, 6), "b": (6, 3)},
        "y = MatMul(a, b)",
        refused="no constant",
    ),
]
_REDUCTIONS = [
    Case("GlobalAveragePool", TWO, "y = GlobalAveragePool(x)", ["Pooling"]),
    Case(
        "GlobalAveragePool of 104x100",
        {"x": (1, 2, 104, 100)},
        "y = GlobalAveragePool(x)",
        ["Pooling"],
    ),
    _reduce("ReduceMean of height and width", "ReduceMean", [2, 3], 1, ["Pooling"]),
    _reduce("ReduceMean, axes dropped", "ReduceMean", [2, 3], 0, ["Pooling", "Reshape"]),
    _reduce("ReduceMean of channels", "ReduceMean", [1], 1, ["Convolution"]),
    _reduce("ReduceMean of rows", "ReduceMean", [2], 1, ["Pooling"]),
    _reduce(
        "ReduceMean of all but the batch", "ReduceMean", [1, 2, 3], 1, ["Pooling", "Convolution"]
    ),
    _reduce("ReduceSum of height and width", "ReduceSum", [2, 3], 1, ["Pooling", "Power"]),
    _reduce("ReduceSum of channels", "ReduceSum", [1], 0, ["Convolution", "Reshape"]),
    _reduce("ReduceMax of height and width", "ReduceMax", [2, 3], 1, ["Pooling"]),
    _reduce("ReduceMean of the batch", "ReduceMean", [0], 1, [], refused="reduces the batch"),
    _reduce("ReduceL2", "ReduceL2", [1], 1, [], refused="vector's length"),
    Case(
        "ArgMax",
        X,
        "y = ArgMax <axis = 1> (x)",
        ["ArgMax"],
    ),
    Case(
        "ArgMax, axis dropped",
        X,
        "y = ArgMax <axis = 1, keepdims = 0> (x)",
        ["ArgMax", "Reshape"],
    ),
]
CASES = [*_SHAPES, *_PARTS, *_PRODUCTS, *_REDUCTIONS]
