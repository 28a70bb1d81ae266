"""A skill onto one board: choose what fits, send what is new, switch, watch it work."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from npukit_cli.deploy.bundle import Bundle
from npukit_cli.deploy.choosing import Wish, choose, needs
from npukit_cli.deploy.packing import Cargo
from npukit_cli.deploy.people import Person, Watcher
from npukit_cli.deploy.pieces import Pieces
from npukit_cli.deploy.remote import RemoteBoard, Where, session


@dataclass(frozen=True)
class Flashed:
    """What runs on the board now.

    Attributes:
        release: its name on the board.
        frames, fps: of the heartbeat it was judged by.
        ended: whether it came to its end meanwhile, as with a short clip.
        sent, size: bytes that travelled (before compression), and of the whole bundle.
        notices: what the board had to say.
    """

    skill: str
    version: str
    release: str
    board: str
    virtual: bool
    frames: int
    fps: float
    ended: bool
    previous: str | None
    sent: int
    size: int
    notices: tuple[str, ...]


async def flash(
    where: Where, wish: Wish, cargo: Cargo, person: Person, watcher: Watcher
) -> Flashed:
    """Bring a skill onto a board and see it work there.

    Args:
        where: the board.
        wish: what to flash.
        cargo: of the wish's skill; several boards share it.
        person: who is asked.
        watcher: is told.

    Raises:
        BoardSkipped: it does not fit the board; nothing was sent.
        BoardRefused: the board refused, or the new release did not work and the old one runs.
        ConnectionFailed: no connection, or it was lost on the way.
        ConfigError: a parameter is wrong; the board was not even called.
    """
    next(cargo.ways(wish.parameters))
    watcher.step("connecting")
    async with session(where, person) as board:
        for done in board.recovered:
            watcher.step("recovered: " + done)
        watcher.step("packing")
        with person.aside() if wish.signer else nullcontext():  # ssh-keygen may ask
            chosen = await asyncio.to_thread(choose, wish, board.facts, cargo)
        bundle, pieces = chosen.packed
        watcher.step("sending")
        sent = await _send(board, bundle, pieces, watcher)
        run = wish.run(chosen.parameters)
        answer = await board.call(
            "install",
            watcher.step,
            name=bundle.name,
            sha256=pieces.sha256,
            identity=_identity(pieces.sha256, run),
            facts={
                "version": bundle.version,
                "board": bundle.manifest["board"],
                "target": bundle.manifest["target"],
                "sha256": bundle.sha256,
                "pieces": pieces.order,
                "run": run,
            },
            needs={**needs(bundle), "disk": needs(bundle)["disk"] // 3},  # the rest is there
            limits={"frames": wish.frames, "seconds": wish.seconds},
            keep=wish.keep,
        )
    return Flashed(
        skill=bundle.name,
        version=bundle.version,
        release=answer["release"],
        board=bundle.manifest["board"],
        virtual=bool(board.facts["virtual"]),
        frames=int(answer["frames"] or 0),
        fps=float(answer["fps"] or 0.0),
        ended=not answer["running"],
        previous=answer["previous"],
        sent=sent,
        size=sum(len(pieces.content[name]) for name in pieces.order),
        notices=tuple(filter(None, (chosen.notice, *answer["notices"]))),
    )


async def _send(board: RemoteBoard, bundle: Bundle, pieces: Pieces, watcher: Watcher) -> int:
    """Send what the board lacks; a piece that its disk damaged is sent again."""
    sent = 0
    wanted = await board.call("missing", pieces=pieces.order, name=bundle.name, needs=needs(bundle))
    for _ in range(3):
        total, done = sum(len(pieces.content[name]) for name in wanted), 0
        watcher.bytes(0, total)

        def arrived(size: int, total: int = total) -> None:
            nonlocal done
            done += size
            watcher.bytes(done, total)

        await board.send({name: pieces.content[name] for name in wanted}, arrived)
        sent += total
        wanted = await board.call("assemble", sha256=pieces.sha256, pieces=pieces.order)
        if not wanted:
            break
    return sent


def _identity(sha256: str, run: Mapping[str, Any]) -> str:
    """Names a release: the same content run another way is another release."""
    return hashlib.sha256(f"{sha256} {json.dumps(run, sort_keys=True)}".encode()).hexdigest()
