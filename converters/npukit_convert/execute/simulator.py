"""Simulator builds: their network, with the preprocessing that they declare."""

from __future__ import annotations

from pathlib import Path

from npukit.errors import ModelError
from npukit.runtime.build import read_build
from npukit_convert.errors import ExecutionError
from npukit_convert.execute.onnx_runtime import OnnxRuntime


class Simulator(OnnxRuntime):
    """What the simulated board executes behind its preprocessing.

    A feed is what the network takes, not the bytes of a picture: those go through
    `preprocess` first (`npukit.preprocess.to_tensor`). A state is an input like another.
    """

    engine = "simulated board"

    def __init__(self, path: Path) -> None:
        """Open a simulator build.

        Raises:
            ExecutionError: not a simulator build, a damaged one, or ONNX Runtime refuses it.
        """
        try:
            self.build = read_build(str(path))
        except ModelError as error:
            raise ExecutionError(error.message, where=error.where, hint=error.hint) from error
        super().__init__(
            self.build.onnx,
            str(path),
            self.build.outputs,
            {
                name: spec.preprocess
                for name, spec in self.build.inputs.items()
                if spec.preprocess is not None
            },
        )
