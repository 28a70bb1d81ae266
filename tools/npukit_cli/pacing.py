"""`npukit run --pace estimate`: each inference takes as long as it is estimated to on a board."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from npukit.errors import ConfigError, did_you_mean
from npukit.manifest import Manifest
from npukit.pacing import PacedModel
from npukit.profiles import boards, load_board, load_target
from npukit.runtime import Model

SIMULATOR = "simulator"


class Pacer:
    """Wraps a skill's models as they are loaded, and remembers how the pace was kept."""

    def __init__(self, seconds: Callable[[str], float], board: str) -> None:
        """`seconds` tells the estimate for a model's name."""
        self.board = board
        self._seconds = seconds
        self._models: dict[str, PacedModel] = {}

    def __call__(self, name: str, model: Model) -> Model:
        """The model at the board's pace."""
        self._models[name] = PacedModel(model, self._seconds(name))
        return self._models[name]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        models = {
            name: {
                "estimate_ms": 1000 * model.pace.seconds,
                "inferences": model.pace.inferences,
                "late": model.pace.late,
                "worst_ms": 1000 * model.pace.worst_s,
            }
            for name, model in self._models.items()
        }
        return {"board": self.board, "models": models}


def make_pacer(text: str, manifest: Manifest) -> Pacer:
    """Understand `estimate` or `estimate:BOARD`; without one, the skill's first other board.

    Raises:
        ConfigError: another text, an unknown board, or one without the figures for an estimate.
    """
    kind, _, name = text.partition(":")
    if kind != "estimate":
        raise ConfigError(f"--pace takes estimate or estimate:BOARD, not {text!r}")
    others = [board for board in manifest.boards if board != SIMULATOR]
    if not name and not others:
        raise ConfigError(
            "the skill runs on the simulator alone: no board to take the pace of",
            where=manifest.folder,
            hint=f"--pace estimate:BOARD, of: {', '.join(known_boards())}",
        )
    board = name or others[0]
    if board not in known_boards():
        raise ConfigError(f"no board {board!r}", hint=did_you_mean(board, known_boards()))

    def seconds(model: str) -> float:
        from npukit_convert.compiler_input import compiler_input, routes_to
        from npukit_convert.cost import estimate, make_machine

        profile = load_board(board)
        target = load_target(profile.target)
        machine = make_machine(profile, target)
        file = manifest.path(manifest.models[model][SIMULATOR])
        network = compiler_input(file, routes=routes_to(profile, target))
        return estimate(network.given, machine, network.inputs).seconds

    return Pacer(seconds, board)


def known_boards() -> list[str]:
    """Boards that a time can be estimated for."""
    return [name for name in boards() if name != SIMULATOR]


def told(pace: Mapping[str, Any]) -> list[str]:
    """How the pace was kept, in words, a line for each model."""
    lines = []
    for name, model in pace["models"].items():
        line = f"pace: {name} takes {model['estimate_ms']:.2f} ms, estimated for {pace['board']}"
        if model["late"]:
            line += (
                f"; this machine was slower in {model['late']} of {model['inferences']} "
                f"inferences (worst {model['worst_ms']:.2f} ms): their own time stands"
            )
        lines.append(line)
    return lines
