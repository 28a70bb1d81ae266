"""What `npukit flash` does: one board or many, and the words for how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from npukit_cli import output
from npukit_cli.deploy.choosing import Wish
from npukit_cli.deploy.flash import Flashed, flash
from npukit_cli.deploy.fleet import Entry, Outcome, on_all
from npukit_cli.deploy.packing import cargo
from npukit_cli.deploy.places import Reach
from npukit_cli.deploy.problems import BoardRefused
from npukit_cli.deploy.terminal import watching

_DONE, _FAILED = 0, 1


def execute(wish: Wish, reach: Reach, parallel: int, stop_after: float, json: bool) -> int:
    """Flash every board; the exit code.

    Raises:
        NpukitError: a single board failed or was skipped, or the command line is wrong.
    """
    entries = reach.entries()
    names = [entry.to for entry in entries]
    for entry in entries:
        reach.where(entry)  # wrong addresses are told before anything is begun
    loaded = cargo(wish.skill, wish.signer)
    with watching(names, hidden=json) as screen:

        async def work(place: int) -> Flashed:
            entry, watcher = entries[place], screen.watchers[place]
            try:
                where = reach.where(entry)
                return await flash(where, _wish(wish, entry), loaded, screen.person, watcher)
            finally:
                watcher.step("")

        try:
            outcomes = asyncio.run(on_all(names, work, parallel, stop_after))
        except KeyboardInterrupt:
            output.say("what a board has begun to install it finishes: see `npukit board status`")
            raise
    if json:
        output.as_json([_to_dict(outcome) for outcome in outcomes])
    elif len(outcomes) == 1 and outcomes[0].error is not None:
        _show_log(outcomes[0].error)
        raise outcomes[0].error
    else:
        _show(outcomes)
    return _DONE if all(outcome.state == "done" for outcome in outcomes) else _FAILED


def _wish(wish: Wish, entry: Entry) -> Wish:
    return replace(
        wish,
        board=entry.board or wish.board,
        parameters={**wish.parameters, **entry.parameters},
        capture=entry.capture or wish.capture,
        displays=tuple(entry.displays) or wish.displays,
    )


def _show(outcomes: Sequence[Outcome[Flashed]]) -> None:
    for outcome in outcomes:
        for notice in outcome.result.notices if outcome.result else ():
            output.say(f"{outcome.to}: {notice}")
    if len(outcomes) == 1 and outcomes[0].result is not None:
        output.result(_sentence(outcomes[0].to, outcomes[0].result))
        return
    rows = [(outcome.to, outcome.state, *_cells(outcome)) for outcome in outcomes]
    output.table("npukit flash", ("board", "state", "release", "frames/s", "why"), rows)
    for outcome in outcomes:
        _show_log(outcome.error)


def _sentence(to: str, done: Flashed) -> str:
    kind = f"virtual {done.board}" if done.virtual else done.board
    how = "ran to its end" if done.ended else "runs"
    return (
        f"{to} ({kind}): {done.skill} {done.version} {how}, {done.frames} frames seen; "
        f"sent {done.sent / 1e6:.1f} of {done.size / 1e6:.1f} MB; release {done.release}"
    )


def _cells(outcome: Outcome[Flashed]) -> tuple[str, str, str]:
    if outcome.result is not None:
        return outcome.result.release, f"{outcome.result.fps:g}", ""
    return "", "", str(outcome.error or "too many others failed")


def _show_log(error: BaseException | None) -> None:
    if isinstance(error, BoardRefused) and error.log:
        output.say("\n".join(f"  | {line}" for line in error.log.splitlines()))


def _to_dict(outcome: Outcome[Flashed]) -> dict[str, Any]:
    result = asdict(outcome.result) if outcome.result is not None else {}
    error = output.error_to_dict(outcome.error) if outcome.error is not None else None
    if isinstance(outcome.error, BoardRefused) and error is not None:
        error |= {"kind": outcome.error.kind, "log": outcome.error.log}
    return {"to": outcome.to, "state": outcome.state, **result, "error": error}
