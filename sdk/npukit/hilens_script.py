"""HiLens scripts on a board: run as they are, and their frames counted for the heartbeat."""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any, Callable, Set

from npukit.errors import ConfigError
from npukit.heartbeat import Heartbeat, from_environment

_MODEL_FOLDERS = ("model", "models", "depends")


def run_on_board(start_file: str, script: str) -> int:
    """Run a script beside `start_file` with the vendor's module.

    It runs in its own folder, so that its relative paths hold.

    Raises:
        ConfigError: NPUKIT_RUN asks for another camera or display: a script names its own.
    """
    if os.environ.get("NPUKIT_RUN", "{}") != "{}":
        raise ConfigError("a HiLens script names its own camera and display on a Kit")
    folder = os.path.dirname(os.path.abspath(start_file))
    prepare(folder)
    heartbeat = from_environment()
    if heartbeat is not None:
        import hilens

        watch(hilens, heartbeat)
    path = os.path.join(folder, script)
    sys.argv = [path]
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        if heartbeat is not None:
            heartbeat.flush()
    return 0


def prepare(folder: str) -> None:
    """Stand where the platform puts a script, and say where its models lie."""
    os.chdir(folder)
    found = [name for name in _MODEL_FOLDERS if os.path.isdir(name)]
    path = os.path.join(folder, found[0] if found else "")
    os.environ.setdefault("SKILL_MODEL_PATH", path.rstrip("/") + "/")


def watch(hilens: Any, heartbeat: Heartbeat) -> None:
    """Count the frames of a script.

    A frame counts when the next one is asked for, unless an inference failed in between: not
    every script shows frames, or infers once for each.

    Args:
        hilens: the vendor's module, or one like it.
        heartbeat: is told.
    """
    under_way: Set[int] = set()  # cameras whose last frame is being processed

    def read(original: Callable[..., Any], camera: Any) -> Any:
        if id(camera) in under_way:
            heartbeat.frame()
        under_way.discard(id(camera))
        frame = original(camera)
        under_way.add(id(camera))
        return frame

    def infer(original: Callable[..., Any], model: Any, *inputs: Any) -> Any:
        outputs = original(model, *inputs)
        if isinstance(outputs, int):
            under_way.clear()
            heartbeat.error("hilens.Model.infer returned {}".format(outputs))
        return outputs

    def load(original: Callable[..., Any], model: Any, *file: Any) -> None:
        original(model, *file)
        heartbeat.loaded()

    _wrap(hilens.VideoCapture, "read", read)
    _wrap(hilens.Model, "infer", infer)
    _wrap(hilens.Model, "__init__", load)


def _wrap(kind: Any, name: str, around: Callable[..., Any]) -> None:
    original = getattr(kind, name)

    def call(*arguments: Any, **named: Any) -> Any:
        return around(lambda *given: original(*given, **named), *arguments)

    setattr(kind, name, call)
