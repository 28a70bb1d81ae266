"""The contract of a family of chips: a float network in, an offline model out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from npukit.arrays import F32
from npukit.profiles import Target
from npukit.runtime.declaration import InputSpec
from npukit_convert.compiler_config import CompilerConfig


@dataclass(frozen=True)
class FloatModel:
    """A network in the form that the compiler reads.

    Attributes:
        name: of the result.
        form: `onnx` or `caffe`.
        files: file name to content; the graph first, for Caffe then the weights.
        origins: names of its nodes to what they come from, for messages.
    """

    name: str
    form: str
    files: Mapping[str, bytes]
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Calibration:
    """Real data, for compilers that quantise; each family writes it in its own format.

    Attributes:
        feeds: the network's inputs by their names in it and in its order, one frame each.
    """

    feeds: Sequence[Mapping[str, F32]]


@dataclass(frozen=True)
class Precision:
    """In what the chip computes, and what goes in and out: a plan in the network's own names.

    Attributes:
        fp16_inputs: inputs given in float16.
        output_type: FP32, FP16 or UINT8.
        high_precision: slower, more exact implementations of operators.
        mode: the vendor's word for how float32 layers are treated; None for its default.
        fp16_layers: of a network that is quantised, those that are not to be.
        symmetric: activations in int8 without an offset.
    """

    fp16_inputs: tuple[str, ...] = ()
    output_type: str = "FP32"
    high_precision: bool = False
    mode: str | None = None
    fp16_layers: tuple[str, ...] = ()
    symmetric: bool = False


@dataclass(frozen=True)
class Compiled:
    """What a compiler made.

    Attributes:
        files: file name to content: the offline model, and what it was made with.
        command: the exact command line.
        tool: the program that was run.
        host: where.
        machine: the processor there.
        seconds: the tool's own.
        log: what it printed.
    """

    files: Mapping[str, bytes]
    command: str
    tool: str
    host: str
    machine: str
    seconds: float
    log: str


class TargetCompiler(ABC):
    """Compiles for the chips of one vendor's family."""

    def __init__(
        self,
        target: Target,
        options: CompilerConfig,
        aipp: str | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Choose a compiler.

        Args:
            target: the chip.
            options: which compiler, where it is, and its settings.
            aipp: the text of a preprocessing file to use in place of the one that the
                declaration becomes.
            tell: is given the compiler's output, line by line.
        """
        self._target, self._options, self._aipp, self._tell = target, options, aipp, tell

    @classmethod
    @abstractmethod
    def compiles(cls, target: Target) -> bool:
        """Whether this family has compilers for a chip."""

    @abstractmethod
    def command(
        self,
        name: str,
        form: str,
        spec: Mapping[str, InputSpec],
        precision: Precision,
        calibration: Calibration | None = None,
    ) -> str:
        """The command line that `compile` runs, as one types it beside the converted files.

        Raises:
            ConfigError: the compiler has no way to do what is asked.
        """

    @abstractmethod
    def compile(
        self,
        float_model: FloatModel,
        spec: Mapping[str, InputSpec],
        calibration: Calibration | None,
        precision: Precision,
    ) -> Compiled:
        """Make the offline model.

        Args:
            float_model: the network.
            spec: its inputs, by their names in it and in its order.
            calibration: to quantise with; None for a float model.
            precision: what is computed in what.

        Raises:
            ConfigError: the compiler has no way to do what is asked.
            CompilerMissing: it is not there; the error holds the command to run elsewhere.
            CompilerError: it refuses the network, runs out of time, or its host fails.
        """
