"""TensorFlow Lite to ONNX, NHWC to NCHW, for the operators of MediaPipe's face networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tflite
from graph import Graph

Array = npt.NDArray[Any]

_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if name.isupper()}
_DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_TO_NCHW = (0, 3, 1, 2)


def convert(content: bytes, inputs: Sequence[str], outputs: Sequence[str], origin: str) -> bytes:
    """Return the ONNX bytes of a float TensorFlow Lite model.

    Raises:
        ValueError: the model has what is not written here.
    """
    return _Converter(content).run(inputs, outputs, origin)


class _Converter:
    def __init__(self, content: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.source = self.model.Subgraphs(0)
        self.graph = Graph("main_graph")
        self.values: dict[int, str] = {}  # the ONNX name of a tensor
        self.folded: dict[int, Array] = {}  # constants that came through DEQUANTIZE

    def run(self, inputs: Sequence[str], outputs: Sequence[str], origin: str) -> bytes:
        sources = [int(number) for number in self.source.InputsAsNumpy()]
        results = [int(number) for number in self.source.OutputsAsNumpy()]
        self.values.update(zip(sources, inputs, strict=True))
        wanted = dict(zip(results, outputs, strict=True))
        for index in range(self.source.OperatorsLength()):
            self.emit(self.source.Operators(index), wanted)
        return self.graph.model(
            {self.values[number]: self.nchw_shape(number) for number in sources},
            {wanted[number]: self.nchw_shape(number) for number in results},
            origin,
        )

    def emit(self, operator: Any, wanted: dict[int, str]) -> None:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        name = _NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [int(number) for number in operator.InputsAsNumpy()]
        (target,) = (int(number) for number in operator.OutputsAsNumpy())
        if name == "DEQUANTIZE":
            self.folded[target] = self.constant(inputs[0]).astype(np.float32)
            return
        emitters: dict[str, Callable[..., None]] = {
            "CONV_2D": self.convolution,
            "DEPTHWISE_CONV_2D": self.depthwise,
            "ADD": self.addition,
            "RELU": self.relu,
            "PRELU": self.prelu,
            "PAD": self.pad,
            "MAX_POOL_2D": self.max_pool,
            "RESHAPE": self.reshape,
            "CONCATENATION": self.concatenation,
        }
        if name not in emitters:
            raise ValueError(f"the operator {name} is not written here")
        output = wanted.get(target) or f"t{target}"
        emitters[name](operator, inputs, target, output)
        self.values[target] = output

    # --- what tensors are ---

    def shape(self, number: int) -> tuple[int, ...]:
        return tuple(int(side) for side in self.source.Tensors(number).ShapeAsNumpy())

    def nchw_shape(self, number: int) -> list[int]:
        shape = self.shape(number)
        return [shape[axis] for axis in _TO_NCHW] if len(shape) == 4 else list(shape)

    def constant(self, number: int) -> Array:
        if number in self.folded:
            return self.folded[number]
        tensor = self.source.Tensors(number)
        if tensor.Sparsity() is not None:
            raise ValueError(f"{tensor.Name().decode()} is stored sparse")
        data: Array = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        return data.view(_DTYPES[tensor.Type()]).reshape(self.shape(number))

    @staticmethod
    def options(operator: Any, kind: type[Any]) -> Any:
        table, options = operator.BuiltinOptions(), kind()
        options.Init(table.Bytes, table.Pos)
        return options

    @staticmethod
    def refuse_fused(options: Any) -> None:
        if options.FusedActivationFunction() != tflite.ActivationFunctionType.NONE:
            raise ValueError("a fused activation is not written here")

    def pads(self, options: Any, number: int, kernel: tuple[int, int]) -> list[int]:
        """ONNX pads of SAME (https://www.tensorflow.org/api_docs/python/tf/nn): more at the end."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        sides, strides = self.shape(number)[1:3], (options.StrideH(), options.StrideW())
        totals = [
            max((-(-side // stride) - 1) * stride + length - side, 0)
            for side, stride, length in zip(sides, strides, kernel, strict=True)
        ]
        return [total // 2 for total in totals] + [total - total // 2 for total in totals]

    # --- one function per operator ---

    def convolution(self, operator: Any, inputs: list[int], _target: int, output: str) -> None:
        options = self.options(operator, tflite.Conv2DOptions)
        kernel = self.constant(inputs[1]).transpose(0, 3, 1, 2)  # OHWI to OIHW
        self.convolve(options, inputs, kernel, 1, output)

    def depthwise(self, operator: Any, inputs: list[int], _target: int, output: str) -> None:
        options = self.options(operator, tflite.DepthwiseConv2DOptions)
        kernel = self.constant(inputs[1]).transpose(3, 0, 1, 2)  # 1HWC to C1HW
        self.convolve(options, inputs, kernel, self.shape(inputs[0])[3], output)

    def convolve(
        self, options: Any, inputs: list[int], kernel: Array, groups: int, output: str
    ) -> None:
        self.refuse_fused(options)
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise ValueError("dilation is not written here")
        height, width = kernel.shape[2:]
        operands = [
            self.values[inputs[0]],
            self.graph.constant(f"{output}.weight", kernel),
            self.graph.constant(f"{output}.bias", self.constant(inputs[2])),
        ]
        self.graph.add(
            "Conv", operands, output, group=groups, kernel_shape=[height, width],
            strides=[options.StrideH(), options.StrideW()],
            pads=self.pads(options, inputs[0], (height, width)),
        )  # fmt: skip

    def addition(self, operator: Any, inputs: list[int], _target: int, output: str) -> None:
        self.refuse_fused(self.options(operator, tflite.AddOptions))
        self.graph.add("Add", [self.values[number] for number in inputs], output)

    def relu(self, _operator: Any, inputs: list[int], _target: int, output: str) -> None:
        self.graph.add("Relu", [self.values[inputs[0]]], output)

    def prelu(self, _operator: Any, inputs: list[int], _target: int, output: str) -> None:
        slopes = self.constant(inputs[1]).reshape(-1, 1, 1)
        operands = [self.values[inputs[0]], self.graph.constant(f"{output}.slope", slopes)]
        self.graph.add("PRelu", operands, output)

    def pad(self, _operator: Any, inputs: list[int], _target: int, output: str) -> None:
        amounts = self.constant(inputs[1])[list(_TO_NCHW)].T.reshape(-1)
        operands = [self.values[inputs[0]], self.graph.constant(f"{output}.pads", amounts)]
        self.graph.add("Pad", operands, output, mode="constant")

    def max_pool(self, operator: Any, inputs: list[int], _target: int, output: str) -> None:
        options = self.options(operator, tflite.Pool2DOptions)
        self.refuse_fused(options)
        kernel = (options.FilterHeight(), options.FilterWidth())
        self.graph.add(
            "MaxPool", [self.values[inputs[0]]], output, kernel_shape=list(kernel),
            strides=[options.StrideH(), options.StrideW()],
            pads=self.pads(options, inputs[0], kernel),
        )  # fmt: skip

    def reshape(self, _operator: Any, inputs: list[int], target: int, output: str) -> None:
        # Values are in the order of NHWC: a map is turned back before its axes go.
        flat = self.graph.add(
            "Transpose", [self.values[inputs[0]]], f"{output}.nhwc", perm=[0, 2, 3, 1]
        )
        shape = self.graph.constant(f"{output}.shape", np.array(self.shape(target)))
        self.graph.add("Reshape", [flat, shape], output)

    def concatenation(self, operator: Any, inputs: list[int], target: int, output: str) -> None:
        options = self.options(operator, tflite.ConcatenationOptions)
        self.refuse_fused(options)
        if len(self.shape(target)) == 4:
            raise ValueError("concatenation of maps is not written here")
        names = [self.values[number] for number in inputs]
        self.graph.add("Concat", names, output, axis=options.Axis())
