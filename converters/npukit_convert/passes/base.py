"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

import onnx_ir as ir

from npukit_convert.graph import Array

ANY = ("onnx", "caffe", "caffe-omg")
CAFFE = ("caffe", "caffe-omg")


class Stage(IntEnum):
    """When a pass runs; inside a stage, in the order of the file names."""

    CLEAN = 1  # drops what computes nothing
    FUSE = 2  # fewer nodes that compute the same
    SPLIT = 3  # changes the network's inputs
    LOWER = 4  # says an operator in simpler ones, which the next format has
    FINISH = 5  # folds what lowering left


class Pass(ABC):
    """One rewrite of a graph that leaves what it computes as it was.

    A pass knows nothing of its verification: the runner executes the graph before and after.

    Attributes:
        stage: when it runs.
        formats: what the graph is on its way to; the pass runs for these alone.
        summary: one line for `--dry-run` and the docs.
    """

    stage: ClassVar[Stage]
    formats: ClassVar[tuple[str, ...]] = ANY
    summary: ClassVar[str]

    @abstractmethod
    def apply(self, model: ir.Model, form: str) -> list[str]:
        """Rewrite the model in place.

        Args:
            model: float32, static shapes, constants as initializers; shapes are inferred.
            form: the format it is on its way to, one of `formats`.

        Returns:
            One line per change, with the node's name; nothing when the graph is as it was.
        """

    def feeds(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Inputs of the rewritten graph that stand for inputs of the graph before."""
        return dict(given)
