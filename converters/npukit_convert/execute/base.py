"""The contract of an engine that executes models on the host, to be compared with another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Self

import numpy as np

from npukit.arrays import F32
from npukit.errors import did_you_mean
from npukit.preprocess import Preprocess
from npukit_convert.errors import ExecutionError

# A side is None where any size fits, the whole shape where the model does not say it (torch).
Shape = tuple[int | None, ...] | None


class Executor(ABC):
    """A model that an engine holds ready.

    Use it as a context manager, or call `close`.

    Attributes:
        engine: the engine's name, for people.
        where: the file or object that was opened, for messages.
        inputs: shape by name, in the model's order.
        outputs: names, in the model's order.
        preprocess: the declaration of the inputs that have one.
    """

    engine: ClassVar[str]

    def __init__(
        self,
        where: str,
        inputs: Mapping[str, Shape],
        outputs: Sequence[str],
        preprocess: Mapping[str, Preprocess] | None = None,
    ) -> None:
        self.where = where
        self.inputs = dict(inputs)
        self.outputs = tuple(outputs)
        self.preprocess = dict(preprocess or {})

    def run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        """Execute once.

        Args:
            feeds: an array per input, of its shape; cast to what the model takes.

        Returns:
            An array per output, float32, owned by the caller.

        Raises:
            ExecutionError: a missing or unknown input, one of another shape, or the engine fails.
        """
        return self._run(self._checked(feeds))

    def layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        """Execute, and give what each layer computes, in the order of execution.

        Floating-point results only, as float32. Names are the engine's own, each once. They are
        given one by one: not all of them need to fit into memory.

        Args:
            feeds: as for `run`.

        Raises:
            ExecutionError: as for `run`.
        """
        yield from self._layers(self._checked(feeds))

    def close(self) -> None:  # noqa: B027 - most engines hold nothing but memory
        """Release the engine; may be called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        """Execute with checked feeds, all present."""

    @abstractmethod
    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        """Give the layers, with checked feeds."""

    def _failed(self, what: object, hint: str = "") -> ExecutionError:
        return ExecutionError(f"{self.engine} fails: {what}", where=self.where, hint=hint)

    def _checked(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        for name in feeds:
            if name not in self.inputs:
                raise ExecutionError(
                    f"no input {name!r}", where=self.where, hint=did_you_mean(name, self.inputs)
                )
        for name, shape in self.inputs.items():
            if name not in feeds:
                raise ExecutionError(f"input {name!r} is missing", where=self.where)
            if not fits(shape, feeds[name].shape):
                raise ExecutionError(
                    f"input {name!r} takes {shape}, got {feeds[name].shape}", where=self.where
                )
        return {name: np.ascontiguousarray(feeds[name], np.float32) for name in self.inputs}


def fits(shape: Shape, given: Sequence[int]) -> bool:
    """Whether an array of shape `given` is what an input of `shape` takes."""
    return shape is None or (
        len(shape) == len(given)
        and all(side is None or side == size for side, size in zip(shape, given, strict=True))
    )


def unique(name: str, taken: Mapping[str, object]) -> str:
    """The name, with `#2`, `#3`, ... when it is taken (a module that is called again)."""
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"
