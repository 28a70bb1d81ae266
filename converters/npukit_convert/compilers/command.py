"""What Huawei's two compilers share: what is compiled, and how its command line is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from npukit.arrays import F32
from npukit.errors import ConfigError
from npukit_convert.compilers.job import Install

CAFFE, ONNX = "caffe", "onnx"


@dataclass(frozen=True)
class Request:
    """One compilation; files by their names in the working directory.

    Attributes:
        name: of the result, without suffix.
        form: `caffe` or `onnx`.
        model, weights: the network's files; weights for Caffe only.
        shapes: input name to its shape, in the network's order.
        aipp: the file for --insert_op_conf, and the inputs that it preprocesses.
        soc_version: of the chip, for ATC.
        fp16_inputs: inputs that the caller gives in float16.
        output_type: FP32, FP16 or UINT8.
        high_precision: slower, more exact implementations of operators.
        precision_mode: how ATC treats float32 layers; None for its default.
        calibration: the file to quantise with.
        batches: the batch sizes of one model for several.
        sizes: the (height, width) of one model for several.
        options: further flags of the vendor's, without `--`.
    """

    name: str
    form: str
    model: str
    weights: str | None
    shapes: Mapping[str, tuple[int, ...]]
    aipp: str | None = None
    aipp_inputs: tuple[str, ...] = ()
    soc_version: str | None = None
    fp16_inputs: tuple[str, ...] = ()
    output_type: str = "FP32"
    high_precision: bool = False
    precision_mode: str | None = None
    calibration: str | None = None
    batches: tuple[int, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


class Command(ABC):
    """A compiler's name, its usual places, and its command line.

    Attributes:
        flags: all that its documents name, without `--`.
        quantising: the flag that the file to quantise with is given by.
    """

    tool: ClassVar[str]
    forms: ClassVar[Sequence[str]]
    output_types: ClassVar[Sequence[str]]
    flags: ClassVar[frozenset[str]]
    quantising: ClassVar[str]
    installs: ClassVar[tuple[Install, ...]]
    environment: ClassVar[Mapping[str, str]]

    def arguments(self, request: Request) -> tuple[str, ...]:
        """The command line after the program's name.

        Raises:
            ConfigError: the compiler has no way to do what is asked; names the key.
        """
        self._check(request)
        flags = {**self._common(request), **self._own(request)}
        for name, value in request.options.items():
            if name in flags:
                raise ConfigError(
                    f"--{name} is written by npukit: {flags[name]}",
                    where="compiler.options",
                    hint="change what it is made from",
                )
            flags[name] = value
        return tuple(f"--{name}={value}" for name, value in flags.items())

    @abstractmethod
    def calibration(
        self,
        name: str,
        feeds: Sequence[Mapping[str, F32]],
        excluded: Sequence[str],
        symmetric: bool,
        soc_version: str | None,
    ) -> dict[str, bytes]:
        """The files that it quantises with, the one for its flag first.

        Args:
            name: of the model.
            feeds: the network's inputs, a frame each, in the network's order.
            excluded: layers that stay in float16.
            symmetric: int8 activations without an offset.
            soc_version: of the chip.

        Raises:
            ConfigError: the compiler has no way to quantise such a network.
        """

    @abstractmethod
    def _own(self, request: Request) -> dict[str, str]:
        """The flags that this compiler alone has."""

    def _common(self, request: Request) -> dict[str, str]:
        flags = {"framework": {CAFFE: "0", ONNX: "5"}[request.form], "model": request.model}
        if request.weights is not None:
            flags["weight"] = request.weights
        flags["output"] = request.name
        flags["input_shape"] = ";".join(
            f"{name}:{','.join(map(str, self._shape(request, shape)))}"
            for name, shape in request.shapes.items()
        )
        flags["input_format"] = "NCHW"
        if request.aipp is not None:
            flags["insert_op_conf"] = request.aipp
        if request.fp16_inputs:
            flags["input_fp16_nodes"] = ";".join(request.fp16_inputs)
        flags["output_type"] = request.output_type
        if request.calibration is not None:
            flags[self.quantising] = request.calibration
        return flags

    def _shape(self, request: Request, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def _check(self, request: Request) -> None:
        if request.form not in self.forms:
            raise ConfigError(f"{self.tool} does not read {request.form}", where="route")
        if request.output_type not in self.output_types:
            raise ConfigError(
                f"{self.tool} has no output type {request.output_type}",
                where="compiler.output_type",
                hint=f"it has {', '.join(self.output_types)}",
            )
        for name in request.fp16_inputs:
            if name not in request.shapes:
                raise ConfigError(
                    f"no input {name!r}",
                    where="compiler.input_fp16_nodes",
                    hint=f"inputs: {', '.join(request.shapes)}",
                )
            if name in request.aipp_inputs:  # the compiler's E10034
                raise ConfigError(
                    f"input {name!r} goes through AIPP, which takes bytes",
                    where="compiler.input_fp16_nodes",
                    hint="leave it out there, or take its preprocess away",
                )
        unknown = sorted(set(request.options) - self.flags)
        if unknown:
            raise ConfigError(f"{self.tool} documents no --{unknown[0]}", where="compiler.options")
