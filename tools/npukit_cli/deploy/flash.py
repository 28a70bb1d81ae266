"""A skill onto one board: choose what fits, send what is new, switch, watch it work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from npukit.errors import ConfigError, ModelError
from npukit.manifest import read_manifest
from npukit.profiles import load_board
from npukit_cli.deploy.bundle import Bundle, make_bundle
from npukit_cli.deploy.onboard import bundle_files
from npukit_cli.deploy.onboard.contents import version_key
from npukit_cli.deploy.onboard.errors import BundleError
from npukit_cli.deploy.pieces import Pieces, cut
from npukit_cli.deploy.problems import BoardSkipped, DeployError
from npukit_cli.deploy.remote import RemoteBoard, Where, session
from npukit_cli.deploy.transport import Person

_RUNTIME_MEMORY = 128 << 20  # bytes: Python, numpy, OpenCV and some frames


@dataclass(frozen=True)
class Wish:
    """What to flash.

    Attributes:
        skill: its folder, or a bundle made by `npukit bundle`.
        parameters: of the skill, by name, as values or text.
        capture: source, in place of the skill's own for the board.
        displays: sinks, in place of the skill's own.
        frames, seconds: how many frames it must process in which time.
        keep: how many releases stay on the board.
        signer: private key to sign with.
        board: name of the profile, for a board that does not say what it is.
    """

    skill: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    capture: str | None = None
    displays: tuple[str, ...] = ()
    frames: int = 10
    seconds: float = 60.0
    keep: int = 3
    signer: Path | None = None
    board: str | None = None

    @property
    def run(self) -> dict[str, Any]:
        """What NPUKIT_RUN holds on the board."""
        asked = {
            "parameters": dict(self.parameters),
            "capture": self.capture,
            "displays": list(self.displays),
        }
        return {key: value for key, value in asked.items() if value}


class Watcher(NamedTuple):
    """Who is told how far it is: of a step in words, and of bytes (done, all)."""

    step: Callable[[str], None] = lambda _: None
    bytes: Callable[[int, int], None] = lambda _done, _all: None


@dataclass(frozen=True)
class Flashed:
    """What runs on the board now.

    Attributes:
        release: its name on the board.
        frames, fps: of the heartbeat it was judged by.
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
    previous: str | None
    sent: int
    size: int
    notices: tuple[str, ...]


async def flash(where: Where, wish: Wish, person: Person, watcher: Watcher) -> Flashed:
    """Bring a skill onto a board and see it work there.

    Raises:
        BoardSkipped: it does not fit the board; nothing was sent.
        BoardRefused: the board refused, or the new release did not work and the old one runs.
        ConnectionFailed: no connection, or it was lost on the way.
        ConfigError: the skill or a parameter is wrong.
    """
    checked = _checked(wish)
    watcher.step("connecting")
    async with session(where, person) as board:
        for done in board.recovered:
            watcher.step("recovered: " + done)
        watcher.step("making the bundle")
        bundle = choose(wish, board.facts)
        pieces = cut(bundle.data)
        watcher.step("sending")
        sent = await _send(board, pieces, watcher)
        run = {**wish.run, **({"parameters": checked} if checked else {})}
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
            needs=needs(bundle),
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
        previous=answer["previous"],
        sent=sent,
        size=sum(len(pieces.content[name]) for name in pieces.order),
        notices=tuple(answer["notices"]),
    )


def choose(wish: Wish, facts: Mapping[str, Any]) -> Bundle:
    """The bundle with the models for this board.

    Args:
        wish: what to flash.
        facts: what the board says of itself, see `onboard.facts`.

    Raises:
        BoardSkipped: the reason why nothing fits.
    """
    name = wish.board or facts["board"]
    if name is None:
        raise BoardSkipped(
            "the board does not say what it is", hint="--board NAME, see `npukit targets`"
        )
    if wish.board and facts["board"] and wish.board != facts["board"]:
        raise BoardSkipped(f"the board is {facts['board']}, not {wish.board}")
    load_board(name)
    try:
        bundle = _bundle(wish, name)
    except (ConfigError, ModelError) as error:
        raise BoardSkipped(
            f"does not fit {name}: {error.message}", where=error.where, hint=error.hint
        ) from error
    required = bundle.manifest["requires"]
    if version_key(required["python"]) > version_key(facts["python"]):
        raise BoardSkipped(f"needs Python {required['python']}, the board has {facts['python']}")
    needed, memory = needs(bundle)["memory"], facts["memory"]
    if memory is not None and needed > memory:
        raise BoardSkipped(
            f"needs about {needed >> 20} MB of memory, the board has {memory >> 20} MB"
        )
    return bundle


def _bundle(wish: Wish, board: str) -> Bundle:
    if wish.skill.is_dir():
        return make_bundle(wish.skill, board, wish.signer)
    if wish.signer is not None:
        raise ConfigError("a bundle is signed when it is made", hint="npukit bundle --sign KEY")
    try:
        manifest = bundle_files.verify(str(wish.skill), expected_board=board)
    except BundleError as error:
        raise DeployError(error.message, where=str(wish.skill), hint=error.hint) from error
    data = wish.skill.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return Bundle(manifest["name"], manifest["version"], data, manifest, sha256)


def _checked(wish: Wish) -> dict[str, Any]:
    """The given parameters as values; those of a bundle are checked on the board alone."""
    if not wish.skill.is_dir():
        return dict(wish.parameters)
    settings = read_manifest(str(wish.skill)).settings(wish.parameters)
    return {name: settings[name] for name in wish.parameters}


def needs(bundle: Bundle) -> dict[str, int]:
    """Bytes that the board must have free: on its disk (archive and files), in its memory."""
    unpacked = sum(item["size"] for item in bundle.manifest["files"].values())
    return {
        "disk": 2 * unpacked,
        "memory": int(bundle.manifest["requires"]["memory"]) + _RUNTIME_MEMORY,
    }


async def _send(board: RemoteBoard, pieces: Pieces, watcher: Watcher) -> int:
    """Send what the board lacks; a piece that its disk damaged is sent again."""
    sent = 0
    wanted = await board.call("missing", pieces=pieces.order)
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
