"""What `npukit estimate` does: a network's time on a board, layer by layer, without the board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from npukit.errors import ConfigError
from npukit.profiles import load_board, load_target
from npukit_cli import output
from npukit_cli.estimate_view import tell, tell_published
from npukit_cli.networks import overrides
from npukit_convert.compiler_input import compiler_input, routes_to
from npukit_convert.cost import Estimate, LayerCost, estimate, make_machine
from npukit_convert.published import apart, compared


@dataclass(frozen=True)
class Order:
    """What the user asked for; see the options of `npukit estimate`."""

    model: str | None
    board: str | None = None
    precision: str = "fp16"
    route: str | None = None
    shapes: tuple[str, ...] = ()
    layers: bool = False
    published: bool = False
    json: bool = False


def execute(order: Order) -> int:
    """Estimate; the exit code.

    Raises:
        NpukitError: the network cannot be read, or an option is wrong.
    """
    if order.published:
        return _published(order)
    if order.model is None or order.board is None:
        raise ConfigError(
            f"no {'model' if order.model is None else '--board'} is given",
            hint="npukit estimate MODEL --board hilens_kit",
        )
    board = load_board(order.board)
    target = load_target(board.target)
    machine = make_machine(board, target, order.precision)
    network = compiler_input(
        order.model, overrides(order.route, order.shapes), routes_to(board, target)
    )
    done = estimate(network.given, machine, network.inputs)
    memory = board.memory.number() * 2**30
    summary: dict[str, Any] = {
        "model": order.model,
        "board": board.name,
        "precision": machine.precision,
        "route": network.route,
        "refused": [str(one) for one in network.refused],
        **to_dict(done),
        "memory_bytes": memory,
        "sources": dict(machine.sources),
    }
    if order.json:
        output.as_json(summary)
    else:
        tell(summary, order.layers)
    return 0


def to_dict(done: Estimate) -> dict[str, Any]:
    """Plain data, for JSON."""
    return {
        "estimate_ms": 1000 * done.seconds,
        "gmacs": done.macs / 1e9,
        "weights_bytes": done.weights,
        "peak_bytes": done.peak,
        "moved_bytes": sum(layer.work.moved for layer in done.layers),
        "copy_ms": 1000 * sum(one.seconds for one in done.layers if one.operator == "Copy"),
        "preprocess_ms": 1000 * sum(one.seconds for one in done.layers if one.operator == "Aipp"),
        "layers": [_layer(layer, done.seconds) for layer in done.layers],
    }


def _layer(layer: LayerCost, total: float) -> dict[str, Any]:
    work = layer.work
    return {
        "name": layer.name,
        "operator": layer.operator,
        "fused": list(layer.fused),
        "ms": 1000 * layer.seconds,
        "share": layer.seconds / total if total else 0.0,
        "bound": layer.bound,
        "compute_ms": 1000 * layer.compute_s,
        "memory_ms": 1000 * layer.memory_s,
        "macs": work.macs,
        "padded_macs": work.padded_macs,
        "read_bytes": work.read,
        "weight_bytes": work.weights,
        "written_bytes": work.written,
    }


def _published(order: Order) -> int:
    if order.model is not None:
        raise ConfigError("--published takes no model", hint="it has networks of its own")
    rows = [{**vars(one), "error": one.error} for one in compared()]
    aside = [vars(one) for one in apart()]
    if order.json:
        output.as_json({"compared": rows, "apart": aside})
    else:
        tell_published(rows, aside)
    return 0
