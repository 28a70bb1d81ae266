"""How long a network takes on a CPU as float32 and as int8, estimated from the graph alone.

A few rates, one for each kind of kernel: those of ONNX Runtime 1.31 on one thread of a CPU with
AVX-512 VNNI, from its profiler, then fitted to the times of thirteen whole networks (the ratio of
both is within a quarter of the measured one on each). `python -m benchmarks --only quantization`
puts estimate and measurement side by side.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import onnx_ir as ir

from npukit_convert.graph import shape
from npukit_convert.quantization.plans.kernels import MATRIX, Layers
from npukit_convert.workload import Convolution, convolution_of

# Families of layers.
DENSE, FIRST = "dense convolutions", "convolutions of fewer than four channels"
DEPTHWISE, PRODUCT = "grouped and depthwise convolutions", "matrix products"
POINTWISE, FLOAT = "elementwise operators", "operators without an integer kernel"
BETWEEN = "conversions between float and int8"


@dataclass(frozen=True)
class _Rate:
    """Microseconds: to start, for a million multiply-adds, for a thousand results."""

    start: float
    macs: float = 0.0
    results: float = 0.0

    def us(self, macs: int, results: int) -> float:
        return self.start + self.macs * macs / 1e6 + self.results * results / 1e3


_AS_FLOAT: Mapping[str, _Rate] = {
    DENSE: _Rate(4.0, 11.0, 0.05),
    FIRST: _Rate(4.0, 17.0),
    DEPTHWISE: _Rate(4.0, 47.0),
    PRODUCT: _Rate(4.0, 100.0),
    POINTWISE: _Rate(1.0, 0.0, 0.08),
    FLOAT: _Rate(1.5, 0.0, 0.27),
}
_AS_INT8: Mapping[str, _Rate] = {
    DENSE: _Rate(3.5, 4.0, 0.1),
    FIRST: _Rate(7.0, 2.7, 0.1),
    DEPTHWISE: _Rate(3.5, 66.0),
    PRODUCT: _Rate(5.0, 35.0),
    POINTWISE: _Rate(4.0, 0.0, 0.13),
    BETWEEN: _Rate(1.7, 0.0, 0.07),
}
_PIXELS_US = 1.0  # a thousand pixels under the kernel, where there are few channels
_PRELU_US = (2.3, 2.8)  # a thousand results; it has no vector kernel, in float32 either
_FUSED = frozenset({"Clip", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Tanh"})
_FREE = frozenset({"Constant", "Flatten", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True)
class Family:
    """Layers of a kind, all together.

    Attributes:
        name: such as `dense convolutions`.
        layers: how many.
        macs: multiply-adds of one inference.
        fp32_us, int8_us: estimated, one thread; equal where they stay in float.
    """

    name: str
    layers: int
    macs: int
    fp32_us: float
    int8_us: float


class CpuTime:
    """The time of all layers.

    Attributes:
        families: those that the network has; those that gain least come first.
        operators: those without an integer kernel, and how many.
        small: convolutions that float32 starts about as long as it computes them.
    """

    def __init__(self, model: ir.Model, layers: Layers, int8: Collection[str]) -> None:
        """Estimate a network with these layers in int8; nothing is executed."""
        self._layers, self._int8 = layers, frozenset(layers.realised(list(int8)))
        self._known = layers.operators.keys() | layers.along.keys()
        self.operators: dict[str, int] = {}
        self.small = 0
        self._sums: dict[str, list[float]] = {}
        for node in model.graph:
            self._add(node)
        self.families = sorted(
            (
                Family(name, int(count), int(macs), fp32, int8_us)
                for name, (count, macs, fp32, int8_us) in self._sums.items()
            ),
            key=lambda one: one.fp32_us - one.int8_us,
        )

    def _add(self, node: ir.Node) -> None:
        name = str(node.name)
        if node.op_type in _FREE or name not in self._known:
            return
        results = sum(math.prod(shape(one) or ()) for one in node.outputs)
        geometry = convolution_of(node) if node.op_type == "Conv" else None
        macs = _macs(node, geometry, results)
        family = _family(node, geometry, kernel=name not in self._layers.kept)
        alone = _AS_FLOAT[family].us(macs, results)
        float_us = 0.0 if _is_fused(node) else alone
        if name in self._int8:
            int8_us = _int8_us(node, family, geometry, macs, results)
        elif node.op_type == "PRelu":
            float_us, int8_us = (rate * results / 1e3 for rate in _PRELU_US)
        else:  # what was fused runs alone now, unless what feeds it is in float, too
            int8_us = float_us if self._in_float(node) else alone
        if name not in self._int8:
            self._convert(node)
        if family == FLOAT:
            self.operators[node.op_type] = self.operators.get(node.op_type, 0) + 1
        if geometry is not None and float_us < 2 * _AS_FLOAT[DENSE].start:
            self.small += 1
        self._sum(family, 1, macs, float_us, int8_us)

    def _in_float(self, node: ir.Node) -> bool:
        """Whether all that a node is computed from is in float."""
        makers = [one.producer() for one in node.inputs if one is not None]
        return all(one is None or str(one.name) not in self._int8 for one in makers)

    def _convert(self, node: ir.Node) -> None:
        """Count what comes to a float node from int8, and what goes back."""
        rate = _AS_INT8[BETWEEN]
        for value in node.inputs:
            maker = None if value is None else value.producer()
            if value is not None and maker is not None and str(maker.name) in self._int8:
                self._sum(BETWEEN, 1, 0, 0.0, rate.us(0, math.prod(shape(value) or ())))
        for value in node.outputs:
            users = {str(user.name) for user, _ in value.uses()}
            if users & self._int8:
                self._sum(BETWEEN, 1, 0, 0.0, rate.us(0, math.prod(shape(value) or ())))

    def _sum(self, family: str, count: int, macs: int, fp32: float, int8: float) -> None:
        sums = self._sums.setdefault(family, [0, 0, 0.0, 0.0])
        for place, more in enumerate((count, macs, fp32, int8)):
            sums[place] += more


def _int8_us(
    node: ir.Node, family: str, geometry: Convolution | None, macs: int, results: int
) -> float:
    if node.op_type in ("Clip", "Relu"):
        return 0.0  # it becomes a range
    taken = _AS_INT8[family].us(macs, results)
    if family == FIRST and geometry is not None:
        taken += _PIXELS_US * math.prod(geometry.kernel) * math.prod(geometry.out[2:]) / 1e3
    return taken


def _family(node: ir.Node, geometry: Convolution | None, kernel: bool) -> str:
    if geometry is not None:
        channels = geometry.size[1]
        if geometry.groups > 1:
            return DEPTHWISE
        return FIRST if channels < 4 and math.prod(geometry.kernel) > 1 else DENSE
    if not kernel:
        return FLOAT
    return PRODUCT if node.op_type in MATRIX else POINTWISE


def _macs(node: ir.Node, geometry: Convolution | None, results: int) -> int:
    if geometry is not None:
        inner = geometry.size[1] // geometry.groups
        return results * inner * math.prod(geometry.kernel)
    if node.op_type in MATRIX | {"ConvTranspose"} and len(node.inputs) > 1:
        weight = shape(node.inputs[1]) if node.inputs[1] is not None else None
        made = shape(node.outputs[0])
        if weight and made:
            return results * math.prod(weight) // max(made[-1 if len(weight) == 2 else 1], 1)
    return 0


def _is_fused(node: ir.Node) -> bool:
    """Whether float32 computes a node where the convolution before it writes."""
    makers = [one.producer() for one in node.inputs if one is not None]
    before = [one for one in makers if one is not None]
    if node.op_type in _FUSED:
        return any(one.op_type == "Conv" for one in before)
    # x * HardSigmoid(x), a HardSwish
    return (
        node.op_type == "Mul"
        and any(one.op_type == "HardSigmoid" and _is_fused(one) for one in before)
        and any(one.op_type == "Conv" for one in before)
    )
