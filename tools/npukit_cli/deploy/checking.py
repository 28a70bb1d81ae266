"""Whether what is to be bundled can work on the board: its models, its memory, its Python."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping

from npukit.errors import ConfigError
from npukit.manifest import Manifest
from npukit.om import parse_om
from npukit.om.container import MAGIC, SVP_MAGIC
from npukit.profiles import Board
from npukit_cli.deploy.collecting import File
from npukit_cli.deploy.onboard.bundle_files import SIMULATOR
from npukit_cli.deploy.onboard.contents import version_key
from npukit_cli.deploy.onboard.simulated import HEAD, is_simulator_build

_GIB = 1 << 30
_SPECIFIER = re.compile(r"(==|>=|<=|<|>)\s*(\d+(?:\.\d+)*)")
_OFFLINE_MODELS = (".om",)
# What hilens.init takes (HiLens framework 1.1.0, libhilens/hilens.cpp; length: its documentation).
_CHECK_VALUE = re.compile(r"[A-Za-z0-9]{1,128}")


def check_model(file: str, data: bytes, target: str) -> int:
    """Check a model's file for a target.

    Returns:
        The memory in bytes that the model needs: weights and all else that its file tells of,
        else the size of the file.

    Raises:
        ConfigError: a simulator build for a board, another file for the simulator.
        ModelError: the file is damaged, or not what its name says.
    """
    simulated = is_simulator_build(data[:HEAD])
    if target == SIMULATOR:
        if not simulated:
            raise ConfigError(
                "the simulated board executes simulator builds only",
                where=file,
                hint="`npukit convert` makes one",
            )
        return len(data)
    if simulated:
        raise ConfigError(
            f"the model is a simulator build, which {target} cannot execute",
            where=file,
            hint="compile the network with the vendor's compiler, and put its file there",
        )
    if not data.startswith((MAGIC, SVP_MAGIC)) and not file.endswith(_OFFLINE_MODELS):
        return len(data)
    om = parse_om(memoryview(data), file)
    if om.wraps_simulator_build:  # which `is_simulator_build` saw already
        raise ConfigError("the model is a simulator build", where=file)
    return len(om.weights) + (om.number("memory_size") or 0) if om.model else len(data)


def check_memory(needed: int, board: Board) -> None:
    """Refuse more than the board has.

    Raises:
        ConfigError: says both.
    """
    if board.memory.value is not None and needed > board.memory.number() * _GIB:
        raise ConfigError(
            f"the models need {needed / _GIB:.1f} GiB, {board.name} has {board.memory.number():g}",
            hint=board.memory.source,
        )


def check_python(needed: str, board: Board) -> None:
    """Refuse a Python that the board does not have.

    Raises:
        ConfigError: says both.
    """
    specifier = board.python.value or ""
    for sign, limit in _SPECIFIER.findall(specifier):
        ours, theirs = version_key(needed), version_key(limit)
        if (sign in ("==", "<=") and ours > theirs) or (sign == "<" and ours >= theirs):
            raise ConfigError(
                f"the skill requires Python {needed}, {board.name} has {specifier}",
                hint=board.python.source,
            )


def check_value(manifest: Manifest, board: Board) -> None:
    """Refuse a check value that the HiLens framework refuses when the skill starts.

    Raises:
        ConfigError: it is missing, or not of letters and digits.
    """
    if board.runtime == "hilens" and not _CHECK_VALUE.fullmatch(manifest.check_value):
        raise ConfigError(
            f"check_value {manifest.check_value!r} is none that {board.name} takes",
            where=manifest.folder,
            hint="up to 128 letters and digits, the same as given to the skill in the console",
        )


def check_syntax(files: Mapping[str, File], board: Board) -> None:
    """Parse Python files as the oldest Python of the board does, as far as a newer one can.

    Raises:
        ConfigError: names file and line.
    """
    oldest = [
        version_key(limit) for sign, limit in _SPECIFIER.findall(board.python.value or "")
        if sign in ("==", ">=")
    ]  # fmt: skip
    feature = (oldest[0] + (0,))[:2] if oldest else None
    for name, file in files.items():
        if name.endswith(".py"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # such as of "\\d": the board's affair
                    ast.parse(file.data, name, feature_version=feature)  # type: ignore[arg-type]
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None)
                raise ConfigError(
                    f"not Python {'.'.join(map(str, feature or ()))}: {error}".replace("  ", " "),
                    where=f"{name}:{line}" if line else name,
                    hint=f"{board.name} has Python {board.python.value or 'of this machine'}",
                ) from error
