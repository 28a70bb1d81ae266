"""Random networks of the supported operators: two Caffes against ONNX Runtime."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.caffe import Array, EngineError, has_bvlc, run_bvlc_batch, run_opencv
from support.lowering import convert

from npukit_convert.onnx_to_caffe.net import CaffeNet

EXAMPLES = 40
Size = tuple[int, int, int, int]


@dataclass
class Network:
    """Lines of ONNX text, the constants they name, and the values so far with their shapes."""

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    values: dict[str, Size] = field(default_factory=dict)
    size: Size = (1, 4, 6, 5)

    def add(self, text: str, size: Size) -> None:
        name = f"v{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        self.values[name] = size

    def constant(self, *numbers: float | int) -> str:
        return self.array(np.array(numbers))

    def array(self, numbers: Array) -> str:
        name = f"c{len(self.constants)}"
        whole = numbers.dtype.kind == "i"
        self.constants[name] = numbers.astype(np.int64 if whole else np.float32)
        return name

    def model(self) -> bytes:
        last = list(self.values)[-1]
        dims = ",".join(map(str, self.size))
        body = "\n".join(self.lines)
        graph = onnx.parser.parse_graph(f"net (float[{dims}] x) => ({last}) {{ {body} }}")
        for name, numbers in self.constants.items():
            graph.initializer.append(onnx.numpy_helper.from_array(numbers, name))
        for number, node in enumerate(graph.node):
            node.name = f"{node.op_type}_{number}"
        opset = onnx.helper.make_opsetid("", 18)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
        data: bytes = onnx.shape_inference.infer_shapes(model, strict_mode=True).SerializeToString()
        return data


Draw = Callable[[st.SearchStrategy[int]], int]
Step = Callable[[Network, Draw, str, Size], None]


def _unary(net: Network, draw: Draw, x: str, size: Size) -> None:
    kinds = ("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "HardSwish", "Elu", "LeakyRelu", "Softplus")
    net.add(f"{kinds[draw(st.integers(0, len(kinds) - 1))]}({x})", size)


def _number(net: Network, draw: Draw, x: str, size: Size) -> None:
    kinds = ("Add", "Sub", "Mul", "Max", "Min")
    c = net.constant(draw(st.integers(-8, 8)) / 4)
    pair = (x, c) if draw(st.booleans()) else (c, x)
    net.add(f"{kinds[draw(st.integers(0, 4))]}({', '.join(pair)})", size)


def _channels(net: Network, draw: Draw, x: str, size: Size) -> None:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    c = net.array(rng.uniform(0.5, 1.5, (size[1], 1, 1)).astype(np.float32))
    kind = ("Add", "Sub", "Mul", "Div")[draw(st.integers(0, 3))]
    net.add(f"{kind}({x}, {c})", size)


def _pair(net: Network, draw: Draw, x: str, size: Size) -> None:
    fits = [
        name
        for name, other in net.values.items()
        if all(b in (1, a) for a, b in zip(size, other, strict=True))
    ]
    other = fits[draw(st.integers(0, len(fits) - 1))]
    kind = ("Add", "Sub", "Mul", "Max", "Min")[draw(st.integers(0, 4))]
    net.add(f"{kind}({x}, {other})", size)


def _mean(net: Network, draw: Draw, x: str, size: Size) -> None:
    axes = ((2, 3), (1,), (2,), (1, 2, 3))[draw(st.integers(0, 3))]
    new = tuple(1 if axis in axes else extent for axis, extent in enumerate(size))
    net.add(f"ReduceMean({x}, {net.constant(*axes)})", new)  # type: ignore[arg-type]


def _softmax(net: Network, draw: Draw, x: str, size: Size) -> None:
    net.add(f"Softmax <axis = {draw(st.integers(1, 3))}> ({x})", size)


def _slice(net: Network, draw: Draw, x: str, size: Size) -> None:
    axis = draw(st.integers(1, 3))
    start = draw(st.integers(0, size[axis] - 1))
    end = draw(st.integers(start + 1, size[axis]))
    step = draw(st.integers(1, 2))
    new = list(size)
    new[axis] = len(range(start, end, step))
    numbers = ", ".join(net.constant(number) for number in (start, end, axis, step))
    net.add(f"Slice({x}, {numbers})", tuple(new))  # type: ignore[arg-type]


def _concat(net: Network, draw: Draw, x: str, size: Size) -> None:
    axis = draw(st.integers(1, 3))
    fits = [
        name
        for name, other in net.values.items()
        if all(a == b or i == axis for i, (a, b) in enumerate(zip(size, other, strict=True)))
    ]
    other = fits[draw(st.integers(0, len(fits) - 1))]
    new = list(size)
    new[axis] += net.values[other][axis]
    net.add(f"Concat <axis = {axis}> ({x}, {other})", tuple(new))  # type: ignore[arg-type]


def _transpose(net: Network, draw: Draw, x: str, size: Size) -> None:
    order = ((0, 2, 3, 1), (0, 1, 3, 2), (0, 3, 1, 2))[draw(st.integers(0, 2))]
    new = tuple(size[axis] for axis in order)
    net.add(f"Transpose <perm = {list(order)}> ({x})", new)  # type: ignore[arg-type]


def _convolution(net: Network, draw: Draw, x: str, size: Size) -> None:
    count, kernel = draw(st.integers(1, 5)), draw(st.sampled_from([1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weights = rng.standard_normal((count, size[1], kernel, kernel)) / (kernel * size[1] ** 0.5)
    pad = kernel // 2
    w = net.array(weights.astype(np.float32))
    net.add(f"Conv <pads = {[pad] * 4}> ({x}, {w})", (size[0], count, *size[2:]))


def _product(net: Network, draw: Draw, x: str, size: Size) -> None:
    count = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weights = rng.standard_normal((size[3], count)) / size[3] ** 0.5
    net.add(f"MatMul({x}, {net.array(weights.astype(np.float32))})", (*size[:3], count))


def _batch_norm(net: Network, draw: Draw, x: str, size: Size) -> None:
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    arrays = [net.array(rng.uniform(0.5, 1.5, size[1]).astype(np.float32)) for _ in range(4)]
    net.add(f"BatchNormalization({x}, {', '.join(arrays)})", size)


STEPS: tuple[Step, ...] = (
    _unary,
    _number,
    _channels,
    _pair,
    _pair,
    _mean,
    _softmax,
    _slice,
    _concat,
    _transpose,
    _convolution,
    _product,
    _batch_norm,
)


@st.composite
def networks(draw: Draw) -> Network:
    net = Network(size=(draw(st.integers(1, 2)), draw(st.integers(1, 5)), 4, 6))
    net.values["x"] = net.size
    for _ in range(draw(st.integers(1, 8))):
        names = list(net.values)
        # Mostly the newest value: else most of the network would be of no use.
        back = draw(st.sampled_from([1, 1, 1, 2]))
        x = names[-min(back, len(names))]
        STEPS[draw(st.integers(0, len(STEPS) - 1))](net, draw, x, net.values[x])
    return net


@functools.cache
def examples() -> list[tuple[Network, CaffeNet, dict[str, Array], dict[str, Array]]]:
    """Networks with their Caffe form, an input, and what ONNX Runtime computes."""
    found = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(networks())
    def collect(net: Network) -> None:
        onnx_bytes = net.model()
        feeds = {"x": np.random.default_rng(1).standard_normal(net.size).astype(np.float32)}
        session = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        expected = dict(zip(names, session.run(names, feeds), strict=True))
        found.append((net, convert(onnx_bytes, "caffe"), feeds, expected))

    collect()
    return found


def test_opencv() -> None:
    for net, made, feeds, expected in examples():
        _compare(run_opencv(made, feeds), expected, net)


@pytest.mark.skipif(not has_bvlc(), reason="BVLC Caffe needs a Python 3.9")
def test_bvlc_caffe() -> None:
    work = [(made, [feeds]) for _, made, feeds, _ in examples()]
    for (net, _, _, expected), found in zip(examples(), run_bvlc_batch(work), strict=True):
        assert not isinstance(found, EngineError), f"{found} in {net.lines}"
        _compare(found[0], expected, net)


def test_the_networks_are_not_all_alike() -> None:
    kinds = {layer.type for _, made, _, _ in examples() for layer in made.layers}
    assert len(examples()) >= EXAMPLES // 2
    assert kinds >= {"Convolution", "Eltwise", "Power", "Scale", "Permute", "Pooling", "Concat"}


def _compare(found: dict[str, Array], expected: dict[str, Array], net: Network) -> None:
    for name, wanted in expected.items():
        assert found[name].shape == wanted.shape, net.lines
        limit = 1e-4 * max(float(np.abs(wanted).max()), 0.1)
        assert float(np.abs(found[name] - wanted).max()) <= limit, net.lines
