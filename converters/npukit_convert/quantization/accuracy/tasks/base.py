"""What a task is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from npukit.arrays import F32
from npukit.frame import Nv21Frame
from npukit.runtime.declaration import InputSpec


class Case(NamedTuple):
    """What a network is judged on.

    Attributes:
        name: for people: the frame it is.
        feeds: network inputs; the states are those of the float32 network.
        truth: what the task measures the result against; None where it needs none.
        follows: it is the next frame of the case before, so the network's own states go on.
    """

    name: str
    feeds: Mapping[str, F32]
    truth: F32 | None = None
    follows: bool = False


class Measure(NamedTuple):
    """A figure of a task.

    Attributes:
        unit: such as `dB`.
        higher_is_better: of the figure.
    """

    unit: str
    higher_is_better: bool


class Meter(ABC):
    """Measures one network, case by case in order."""

    @abstractmethod
    def add(self, case: Case, outputs: Mapping[str, F32]) -> None:
        """Take the result of a case."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """The figures, by the names of the task's `measures`."""


class Task(ABC):
    """How the results of a kind of network are judged against the truth.

    Attributes:
        summary: one line, for the docs.
        measures: by name; a limit on `NAME_loss` is one on what the quantised network is worse
            by, in the unit of the measure.
        needs_truth: exact results must be given with the frames.
        consecutive: how many frames that follow one another a measure looks at.
    """

    summary: ClassVar[str]
    measures: ClassVar[Mapping[str, Measure]]
    needs_truth: ClassVar[bool] = False
    consecutive: ClassVar[int] = 1

    def __init__(
        self,
        output: str,
        inputs: Mapping[str, InputSpec],
        shapes: Mapping[str, tuple[int, ...]],
        where: str,
    ) -> None:
        """Check that a network can be judged so.

        Args:
            output: of the network, that is measured.
            inputs: of the network.
            shapes: of its outputs.
            where: the key that names the task, for messages.

        Raises:
            ConfigError: it cannot.
        """
        self.output, self.inputs, self.shape = output, dict(inputs), shapes[output]

    @abstractmethod
    def prepare(
        self, feeds: dict[str, F32], frame: Nv21Frame | None, exact: Nv21Frame | None
    ) -> tuple[dict[str, F32], F32 | None]:
        """What the network is fed with and the truth of it.

        Args:
            feeds: inputs made of the frame.
            frame: that was read; None where arrays were.
            exact: the frame of the truth, where there is one.

        Raises:
            CalibrationError: the task cannot be judged on such data.
        """

    @abstractmethod
    def meter(self) -> Meter:
        """A fresh one."""
