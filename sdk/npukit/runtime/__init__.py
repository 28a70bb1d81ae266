"""Execution of models; one file per runtime."""

from __future__ import annotations

from npukit.plugins import Plugins
from npukit.runtime.base import Model, Runtime, TensorSpec

RUNTIMES: Plugins[Runtime] = Plugins(__name__, __path__, Runtime, "runtime")


def load_model(path: str, runtime: str = "simulator", threads: int = 1) -> Model:
    """Load a model file with a runtime that needs no start; see `Runtime.load`."""
    return RUNTIMES.get(runtime)().load(path, threads)


__all__ = ["RUNTIMES", "Model", "Runtime", "TensorSpec", "load_model"]
