"""Arithmetic, activations and normalisation."""

from __future__ import annotations

from support.onnx_cases.case import Case, noise

X = {"x": (1, 3, 4, 5)}
TWO = {"x": (2, 3, 4, 5)}
PAIR = {"a": (1, 3, 4, 5), "b": (1, 3, 4, 5)}
CHANNELS = noise(1, 3, 1, 1)
OMG_AXIS = "axis"
LOW_RANK = {"x": (2, 6)}


def _number(title: str, body: str, layers: list[str], number: float = 1.5, **more: bool) -> Case:
    return Case(title, X, body, layers, constants={"c": number}, **more)


def _equal(title: str, body: str, layers: list[str]) -> Case:
    return Case(title, PAIR, body, layers)


_NUMBERS = [
    _number("Add a number", "y = Add(x, c)", ["Power"]),
    _number("Add to a number", "y = Add(c, x)", ["Power"]),
    _number("Sub a number", "y = Sub(x, c)", ["Power"]),
    _number("Sub from a number", "y = Sub(c, x)", ["Power"]),
    _number("Mul by a number", "y = Mul(x, c)", ["Power"], number=-0.3),
    _number("Div by a number", "y = Div(x, c)", ["Power"]),
    _number("Div a number", "y = Div(c, x)", ["Power"], positive=True),
    _number("Max with a number", "y = Max(x, c)", ["Power", "ReLU", "Power"], number=0.5),
    _number("Min with a number", "y = Min(x, c)", ["Power", "ReLU", "Eltwise"], number=0.5),
    Case("Add an array of one number", X, "y = Add(x, c)", ["Power"], constants={"c": [[[[2.0]]]]}),
]
_CHANNELS = [
    Case(
        f"{operator} {'with' if right else 'of'} one constant for each channel",
        X,
        f"y = {operator}({'x, c' if right else 'c, x'})",
        ["Power", "Scale"] if operator == "Div" and not right else ["Scale"],
        constants={"c": CHANNELS},
        positive=operator == "Div" and not right,
    )
    for operator in ("Add", "Sub", "Mul", "Div")
    for right in (True, False)
]
_ARRAYS = [
    Case("Mul by constant (C)", LOW_RANK, "y = Mul(x, c)", ["Scale"], constants={"c": noise(6)}),
    Case("Add constant (1,C)", LOW_RANK, "y = Add(x, c)", ["Scale"], constants={"c": noise(1, 6)}),
    Case(
        "Add constant (C) along the last axis of three",
        {"x": (2, 3, 6)},
        "y = Add(x, c)",
        ["Scale"],
        constants={"c": noise(6)},
        omg=OMG_AXIS,
    ),
    Case(
        "Add constant (1,C,H,W)",
        X,
        "y = Add(x, c)",
        ["Scale"],
        constants={"c": noise(1, 3, 4, 5)},
        omg=OMG_AXIS,
    ),
    Case(
        "Mul by constant (H,W)",
        X,
        "y = Mul(x, c)",
        ["Scale"],
        constants={"c": noise(4, 5)},
        omg=OMG_AXIS,
    ),
    Case(
        "Mul by constant (1,C,1,W)",
        X,
        "y = Mul(x, c)",
        ["Scale"],
        constants={"c": noise(1, 3, 1, 5)},
        omg=OMG_AXIS,
    ),
    Case(
        "Max with one constant for each channel",
        X,
        "y = Max(x, c)",
        ["Scale", "ReLU", "Scale"],
        constants={"c": CHANNELS},
    ),
]
_EQUAL = [
    _equal("Add", "y = Add(a, b)", ["Eltwise"]),
    _equal("Sub", "y = Sub(a, b)", ["Eltwise"]),
    _equal("Mul", "y = Mul(a, b)", ["Eltwise"]),
    _equal("Max", "y = Max(a, b)", ["Eltwise"]),
    _equal("Min", "y = Min(a, b)", ["Power", "Power", "Eltwise", "Power"]),
    Case("Div", PAIR, "y = Div(a, b)", ["Power", "Eltwise"], positive=True),
    _equal("Add a blob to itself", "s = Mul(a, b) y = Add(s, s)", ["Eltwise", "Eltwise"]),
    _equal("Sum of three", "y = Sum(a, b, a)", ["Eltwise"]),
    _equal("Sum of seven", "y = Sum(a, b, a, a, b, b, b)", ["Eltwise", "Eltwise"]),
    _equal("Mean of two", "y = Mean(a, b)", ["Eltwise"]),
    _equal("Mean of six", "y = Mean(a, b, a, a, b, a)", ["Eltwise", "Eltwise"]),
    _equal("Max of five", "y = Max(a, b, a, a, b)", ["Eltwise", "Eltwise"]),
    _equal(
        "Min of three",
        "y = Min(a, b, a)",
        ["Power", "Power", "Power", "Eltwise", "Power"],
    ),
    Case(
        "Sum with a constant",
        PAIR,
        "y = Sum(a, b, c)",
        ["Eltwise", "Scale"],
        constants={"c": CHANNELS},
    ),
]


def _broadcast(
    operator: str, small: tuple[int, ...], layers: list[str], positive: bool = False
) -> Case:
    return Case(
        f"{operator} with {list(small)}",
        {"x": (small[0], 3, 4, 5), "s": small},
        f"y = {operator}(x, s)",
        layers,
        positive=positive,
    )


_BROADCAST = [
    _broadcast("Mul", (1, 3, 1, 1), ["Reshape", "Scale"]),
    _broadcast("Mul", (2, 3, 1, 1), ["Reshape", "Scale"]),
    _broadcast("Div", (1, 3, 1, 1), ["Power", "Reshape", "Scale"], positive=True),
    _broadcast("Mul", (1, 1, 4, 5), ["Convolution", "Eltwise"]),
    _broadcast("Mul", (2, 1, 4, 5), ["Convolution", "Eltwise"]),
    _broadcast("Mul", (1, 1, 1, 1), ["Convolution", "Reshape", "Scale"]),
    _broadcast("Add", (1, 3, 1, 1), ["Deconvolution", "Eltwise"]),
    _broadcast("Sub", (2, 3, 1, 1), ["Deconvolution", "Eltwise"]),
    _broadcast("Max", (1, 1, 4, 5), ["Convolution", "Eltwise"]),
    _broadcast("Add", (1, 3, 4, 1), ["Deconvolution", "Eltwise"]),
    Case(
        "Expand of channels",
        {"x": (1, 1, 4, 5)},
        "y = Expand(x, shape)",
        ["Convolution"],
        constants={"shape": [1, 3, 4, 5]},
    ),
    Case(
        "Add along the batch",
        {"x": (2, 3, 4, 5), "s": (1, 3, 4, 5)},
        "y = Add(x, s)",
        refused="Eltwise never broadcasts",
    ),
]
_ACTIVATIONS = [
    Case("SiLU", X, "s = Sigmoid(x) y = Mul(x, s)", ["Sigmoid", "Eltwise"]),
    Case("Relu", X, "y = Relu(x)", ["ReLU"]),
    Case("LeakyRelu", X, "y = LeakyRelu <alpha = 0.1> (x)", ["ReLU"]),
    Case("PRelu", X, "y = PRelu(x, c)", ["PReLU"], constants={"c": noise(3, 1, 1)}),
    Case("PRelu with one slope", X, "y = PRelu(x, c)", ["PReLU"], constants={"c": [0.25]}),
    Case("Elu", X, "y = Elu <alpha = 0.7> (x)", ["ELU"]),
    Case("Selu", X, "y = Selu(x)", ["ELU", "Power"]),
    Case("Sigmoid", X, "y = Sigmoid(x)", ["Sigmoid"]),
    Case("Tanh", X, "y = Tanh(x)", ["TanH"]),
    Case("Exp", X, "h = Tanh(x) y = Exp(h)", ["TanH", "Exp"]),
    Case("Log", X, "y = Log(x)", ["Log"], positive=True),
    Case("Abs", X, "y = Abs(x)", ["AbsVal"]),
    Case("Neg", X, "y = Neg(x)", ["Power"]),
    Case("Sqrt", X, "y = Sqrt(x)", ["Power"], positive=True),
    Case("Reciprocal", X, "y = Reciprocal(x)", ["Power"], positive=True),
    Case("Pow 2", X, "y = Pow(x, c)", ["Eltwise"], constants={"c": 2.0}),
    Case("Pow 3", X, "y = Pow(x, c)", ["Eltwise", "Eltwise"], constants={"c": 3.0}),
    Case("Pow 1.5", X, "y = Pow(x, c)", ["Power"], constants={"c": 1.5}, positive=True),
    Case("Softsign", X, "y = Softsign(x)", ["AbsVal", "Power", "Power", "Eltwise"]),
    Case("Softplus", X, "y = Softplus(x)", ["BNLL"]),
    Case("Mish", X, "y = Mish(x)", ["BNLL", "TanH", "Eltwise"], opset=18),
    Case(
        "Clip 0 to 6",
        X,
        "y = Clip(x, low, high)",
        ["ReLU", "Power", "ReLU", "Eltwise"],
        constants={"low": 0.0, "high": 6.0},
    ),
    Case(
        "HardSwish",
        X,
        "y = HardSwish(x)",
        ["Power", "Power", "ReLU", "Power", "ReLU", "Eltwise", "Eltwise"],
    ),
    Case("Dropout", X, "h = Dropout(x) y = Relu(h)", ["ReLU"]),
    Case("Identity", X, "h = Relu(x) y = Identity(h)", ["ReLU", "Power"]),
    Case("Gelu by Erf", X, "h = Erf(x) y = Mul(x, h)", refused="error function"),
]
_GROUP = (
    "g = Reshape(x, grouped) n = InstanceNormalization(g, ones, zeros) r = Reshape(n, back) "
    "m = Mul(r, s) y = Add(m, b)"
)
_MEAN = ["Pooling", "Deconvolution", "Eltwise", "Eltwise", "Pooling", "Power", "Power"]
_NORMALISATION = [
    Case(
        "BatchNormalization",
        TWO,
        "y = BatchNormalization <epsilon = 0.001> (x, s, b, m, v)",
        ["BatchNorm", "Scale"],
        constants={"s": noise(3), "b": noise(3, seed=4), "m": noise(3, seed=5), "v": abs(noise(3))},
    ),
    Case(
        "InstanceNormalization",
        {"x": (1, 3, 6, 5)},
        "y = InstanceNormalization(x, s, b)",
        [*_MEAN, "Scale", "Reshape", "Scale", "Scale"],
        constants={"s": noise(3), "b": noise(3, seed=4)},
        tolerance=3e-4,
    ),
    Case(
        "GroupNorm as exported",
        {"x": (1, 6, 4, 5)},
        _GROUP,
        ["Reshape", "Reshape", *_MEAN, "Reshape", "Scale", "Reshape", "Reshape", "Scale", "Scale"],
        constants={
            "grouped": [0, 2, -1],
            "ones": [1.0, 1.0],
            "zeros": [0.0, 0.0],
            "back": [1, 6, 4, 5],
            "s": noise(6, 1, 1),
            "b": noise(6, 1, 1, seed=4),
        },
        tolerance=3e-4,
    ),
    Case(
        "LayerNorm as exported for opset 13",
        {"x": (1, 4, 6)},
        "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) q = Pow(d, two) "
        "v = ReduceMean <axes = [-1]> (q) e = Add(v, eps) r = Sqrt(e) n = Div(d, r) "
        "y = Mul(n, s)",
        [
            *["Reshape", "Pooling", "Reshape", "Reshape", "Deconvolution", "Reshape", "Eltwise"],
            *["Eltwise", "Reshape", "Pooling", "Reshape", "Power", "Power", "Power", "Reshape"],
            *["Scale", "Scale"],
        ],
        constants={"two": 2.0, "eps": 1e-5, "s": noise(6)},
        omg=OMG_AXIS,
        opset=13,
        tolerance=3e-4,
    ),
    Case(
        "LayerNormalization",
        {"x": (1, 4, 6)},
        "y = LayerNormalization(x, s)",
        constants={"s": noise(6)},
        refused="normalises over channels",
    ),
    Case(
        "LRN",
        {"x": (1, 7, 4, 5)},
        "y = LRN <size = 5, alpha = 0.01, beta = 0.6> (x)",
        ["LRN"],
    ),
    Case(
        "LRN with a bias",
        {"x": (1, 7, 4, 5)},
        "y = LRN <size = 3, bias = 1.5> (x)",
        ["LRN"],
        opencv="it takes a bias of 1 for any",
    ),
    Case("Softmax of channels", TWO, "y = Softmax <axis = 1> (x)", ["Softmax"]),
    Case("Softmax of the last axis", {"x": (2, 6)}, "y = Softmax(x)", ["Softmax"]),
    Case("LogSoftmax", X, "y = LogSoftmax <axis = 1> (x)", refused="-inf"),
]
CASES = [
    *_NUMBERS,
    *_CHANNELS,
    *_ARRAYS,
    *_EQUAL,
    *_BROADCAST,
    *_ACTIVATIONS,
    *_NORMALISATION,
]
