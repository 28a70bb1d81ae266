"""What `npukit lint` does: a network against a compiler's list and the rules of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from npukit.errors import ConfigError, did_you_mean
from npukit.operator_tables import OperatorTable, load_operators
from npukit.profiles import Board, Target, load_board, load_target
from npukit_cli import output
from npukit_cli.lint_view import tell
from npukit_cli.networks import board_for, overrides, pixels
from npukit_convert.compiler_input import ROUTES, CompilerInput, compiler_input, find_target
from npukit_convert.cost import estimate, make_machine
from npukit_convert.lint import Subject, check
from npukit_convert.lint.base import Severity


@dataclass(frozen=True)
class Order:
    """What the user asked for; see the options of `npukit lint`."""

    model: str
    target: str | None = None
    route: str | None = None
    table: str | None = None
    board: str | None = None
    precision: str = "fp16"
    content: str | None = None
    shapes: tuple[str, ...] = ()
    all: bool = False
    json: bool = False


def execute(order: Order) -> int:
    """Look at a network; the exit code: 1 where something is unsupported.

    Raises:
        NpukitError: the network cannot be read, or an option is wrong.
    """
    routes: tuple[str, ...] = ROUTES
    if order.target is not None:
        target = find_target(order.target)
        routes = tuple(route for route in ROUTES if route in target.operators)
    network = compiler_input(order.model, overrides(order.route, order.shapes), routes)
    target = find_target(order.target or _target_of(network))
    table, others = choose(target, network.route, order.table)
    board = load_board(order.board) if order.board else board_for(target, table)
    _check_board(board, target)
    machine = make_machine(board, load_target(board.target), order.precision)
    content = pixels(order.content) if order.content else camera_size(board)
    subject = Subject(network, table, machine, content)
    findings = check(subject)
    total = 1000 * estimate(network.given, machine, network.inputs).seconds
    counts = {
        severity.name.lower(): sum(one.severity == severity for one in findings)
        for severity in Severity
    }
    summary: dict[str, Any] = {
        "model": order.model,
        "target": target.name,
        "route": network.route,
        "table": table.name,
        "table_title": table.title,
        "source": table.source,
        "board": board.name,
        "precision": machine.precision,
        "content": list(content) if content else None,
        "estimate_ms": total,
        "counts": counts,
        "findings": [one.to_dict() for one in findings],
        "other_tables": {other.name: _unsupported(network, other, subject) for other in others},
    }
    if order.json:
        output.as_json(summary)
    else:
        tell(summary, order.all)
    return 1 if counts["unsupported"] else 0


def choose(
    target: Target, route: str, named: str | None
) -> tuple[OperatorTable, list[OperatorTable]]:
    """The table to hold a network against, and the others of the route.

    Raises:
        ConfigError: no such table, or no compiler of that route.
    """
    figure = target.operators.get(route)
    names: Sequence[str] = figure.value if figure is not None and figure.value else ()
    if not names:
        raise ConfigError(f"no compiler for {target.title} reads {route}")
    chosen = named or names[-1]
    if chosen not in names:
        raise ConfigError(
            f"no operator table {chosen!r} for {target.name} and {route}",
            hint=did_you_mean(chosen, names),
        )
    return load_operators(chosen), [load_operators(one) for one in names if one != chosen]


def camera_size(board: Board) -> tuple[int, int] | None:
    """What the board's camera gives; None where none is fitted."""
    width, height = board.camera.width.value, board.camera.height.value
    return (width, height) if width and height else None


def _target_of(network: CompilerInput) -> str:
    if network.target is None:
        raise ConfigError(
            "no target is named", hint="give --target ascend310, or target: in convert.yaml"
        )
    return network.target


def _check_board(board: Board, target: Target) -> None:
    if board.target != target.name:
        raise ConfigError(
            f"{board.title} carries {board.target}, not {target.name}",
            hint="leave --board out, or name another --target",
        )


def _unsupported(
    network: CompilerInput, table: OperatorTable, subject: Subject
) -> Mapping[str, int]:
    """Operators that another table lacks, with how many nodes there are of each."""
    found = check(Subject(network, table, subject.machine))
    counted: dict[str, int] = {}
    for one in found:
        if one.severity == Severity.UNSUPPORTED:
            counted[one.operator] = counted.get(one.operator, 0) + 1
    return counted
