"""The cost model against times that others published; nothing in it is fitted to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npukit.profiles import load_board, load_target
from npukit_convert.cost import estimate, make_machine
from npukit_convert.reference_networks import NETWORKS

_FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Published:
    """One time from the literature, batch 1, and what the model says.

    Attributes:
        network: of `NETWORKS`.
        board: whose figures the estimate takes: that with the same chip at the same peak.
        published_ms, estimated_ms: milliseconds.
        title, how, url: of the source; what was measured.
    """

    network: str
    board: str
    precision: str
    published_ms: float
    estimated_ms: float
    title: str
    how: str
    url: str

    @property
    def error(self) -> float:
        """Of the estimate, relative to the published time; negative where it is too short."""
        return self.estimated_ms / self.published_ms - 1


@dataclass(frozen=True)
class Apart:
    """A published time that cannot be compared, and why."""

    network: str
    published_ms: float
    why: str
    source: str


def compared() -> list[Published]:
    """Every published time of a network that npukit can build."""
    data, done = _data(), []
    for item in data["compared"]:
        source = data["sources"][item["source"]]
        board = load_board(source["board"])
        machine = make_machine(board, load_target(board.target), source["precision"])
        seconds = estimate(NETWORKS[item["network"]](), machine).seconds
        done.append(
            Published(
                network=item["network"],
                board=board.name,
                precision=machine.precision,
                published_ms=item["latency_ms"],
                estimated_ms=1000 * seconds,
                title=source["title"],
                how=source["how"],
                url=source["url"],
            )
        )
    return done


def apart() -> list[Apart]:
    """Times that are told, but not compared."""
    return [
        Apart(item["network"], item["latency_ms"], item["why"], item["source"])
        for item in _data()["apart"]
    ]


def _data() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))
