"""What the host can ask of the board; each takes plain data and answers plain data."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from . import facts as board_facts
from . import room, service, store, transaction
from .board_error import BoardError
from .files import remove_file
from .health import Limits
from .layout import BoardPlace, SkillPlace
from .logs import Growing, tail
from .reports import life_of, release_of, status_of

Tell = Callable[[str], None]
_LOCK_S = 2.0


class Operations:
    """The operations on one board."""

    def __init__(self, board: BoardPlace, tell: Tell) -> None:
        self._board = board
        self._tell = tell

    def facts(self) -> Dict[str, Any]:
        """What this board is and has."""
        return board_facts.facts(self._board)

    def recover(self, start: bool = True, patience_s: float = 0.0) -> List[str]:
        """Finish what was cut off, unless somebody is at work."""
        waiting = [place for place in self._board.installed() if os.path.lexists(place.journal)]
        if not waiting or not self._board.lock.take(patience_s):
            return []
        try:
            return list(transaction.recover(self._board, start))
        finally:
            self._board.lock.give_back()

    def boot(self) -> List[str]:
        """Recover, then start every skill that is to run."""
        done = self.recover(False, _LOCK_S)
        for place in self._board.installed():
            if place.settings().get("enabled") and place.release():
                service.start(place)
                done.append("{}: started".format(place.name))
        return done

    def missing(
        self, pieces: List[str], name: str, needs: Optional[Mapping[str, int]] = None
    ) -> List[str]:
        """The pieces of a bundle that are not here, once it is sure that there is room for it."""
        place = self._board.skill(name)
        if needs and room.shortage(place, needs):
            with self._alone():  # what is left of installations that failed makes room
                store.collect_garbage(self._board)
            room.require(place, needs)
        return store.missing(self._board, pieces)

    def put(self, sha256: str, data: bytes) -> int:
        """Keep a piece of a bundle."""
        store.put(self._board, sha256, data)
        return len(data)

    def assemble(self, sha256: str, pieces: List[str]) -> List[str]:
        """Put a bundle together; the pieces that must be sent again, if any."""
        return store.assemble(self._board, sha256, pieces)

    def install(
        self,
        name: str,
        sha256: str,
        identity: str,
        facts: Mapping[str, Any],
        needs: Mapping[str, int],
        limits: Mapping[str, Any],
        keep: int,
    ) -> Dict[str, Any]:
        """Install a bundle and run it; the old release runs on if the new one does not work."""
        place = self._board.skill(name)
        bundle = store.bundle_path(self._board, sha256)
        if not os.path.isfile(bundle):
            raise BoardError("the bundle is not on the board", "flash again", "missing")
        with self._alone():
            before = place.list()
            self._tell("unpacking")
            try:
                room.require(place, needs)
                release = transaction.unpack(place, bundle, facts, identity)
            finally:
                remove_file(bundle)
            try:
                beat = transaction.switch(place, release, Limits(**limits), self._tell)
            except BoardError:
                if release not in before:
                    transaction.discard(place, release)
                raise
            transaction.prune(place, keep)
            return self._judged(place, release, beat)

    def rollback(
        self, skill: Optional[str], limits: Mapping[str, Any], release: Optional[str] = None
    ) -> Dict[str, Any]:
        """Run an older release again."""
        with self._alone():
            place = self._board.one(skill)
            wanted = release or place.settings().get("previous")
            if not place.has(wanted):
                known = ", ".join(place.list())
                raise BoardError(
                    "no release {!r} to go back to".format(wanted or "before this one"),
                    "on the board: " + known,
                    "missing",
                )
            beat = transaction.switch(place, str(wanted), Limits(**limits), self._tell)
            return self._judged(place, str(wanted), beat)

    def status(self, skill: Optional[str] = None) -> Dict[str, Any]:
        """What every skill (or one) does."""
        places = [self._board.one(skill)] if skill else self._board.installed()
        busy = self._board.lock.is_held()
        return {
            "board": self.facts(),
            "installing": busy,
            "skills": [status_of(place) for place in places if place.list()],
        }

    def list(self, skill: Optional[str] = None) -> List[Dict[str, Any]]:
        """Every release on the board."""
        places = [self._board.one(skill)] if skill else self._board.installed()
        return [release_of(place, name) for place in places for name in place.list()]

    def start(self, skill: Optional[str] = None) -> Dict[str, Any]:
        """Start a skill, now and at boot."""
        with self._alone():
            place = self._board.one(skill)
            if place.release() is None:
                raise BoardError("no release is in use", "flash one, or roll back", "missing")
            place.set(enabled=True)
            service.enable(place)
            service.start(place)
            return status_of(place)

    def stop(self, skill: Optional[str] = None) -> Dict[str, Any]:
        """Stop a skill, now and at boot."""
        with self._alone():
            place = self._board.one(skill)
            place.set(enabled=False)
            service.stop(place)
            service.disable(place)
            return status_of(place)

    def restart(self, skill: Optional[str] = None) -> Dict[str, Any]:
        """Stop and start."""
        with self._alone():
            service.stop(self._board.one(skill))
        return self.start(skill)

    def remove(self, skill: Optional[str] = None, purge: bool = False) -> Dict[str, Any]:
        """Take a skill off the board."""
        with self._alone():
            place = self._board.one(skill)
            transaction.remove(place, purge)
            return {"removed": place.name, "workspace_kept": os.path.isdir(place.workspace)}

    def logs(
        self,
        skill: Optional[str],
        lines: int,
        follow: bool,
        wanted: Callable[[], bool],
        since: Optional[Sequence[int]] = None,
    ) -> Iterator[Dict[str, Any]]:
        """The end of the log; with `follow` what comes after, until the skill ends.

        Args:
            skill: its name, or None for the only one.
            lines: how many of the old ones.
            follow: go on.
            wanted: asked now and then, whether to go on.
            since: go on at this `position` of an earlier call, in place of `lines`.
        """
        place = self._board.one(skill)
        old, position = tail(place.log, lines)
        for line in old if since is None else ():
            yield {"line": line}
        with closing(Growing(place.log, position if since is None else since)) as log:
            yield {"position": log.position}
            while follow and wanted():
                under_way = service.is_running(place) or os.path.lexists(place.journal)
                found = log.lines()
                for line in found:
                    yield {"line": line}
                if found:
                    yield {"position": log.position}
                elif under_way:
                    time.sleep(0.1)
                else:
                    break
        yield {"exit_code": life_of(place)[0].get("exit_code")}

    def _judged(self, place: SkillPlace, release: str, beat: Mapping[str, Any]) -> Dict[str, Any]:
        notices = []
        if not service.starts_at_boot(self._board):
            notices.append(
                "nothing starts it at boot here; let a boot script run: "
                + service.boot_line(self._board)
            )
        return {
            "skill": place.name,
            "release": release,
            "running": service.is_running(place),
            "frames": beat.get("frames"),
            "fps": beat.get("fps"),
            "previous": place.settings().get("previous"),
            "notices": notices,
        }

    def _alone(self) -> _Alone:
        return _Alone(self._board, self._tell)


class _Alone:
    """Nobody else changes the board inside; what was cut off before is recovered first."""

    def __init__(self, board: BoardPlace, tell: Tell) -> None:
        self._board = board
        self._tell = tell

    def __enter__(self) -> None:
        if not self._board.lock.take(_LOCK_S):
            raise BoardError(
                "another installation is under way on the board",
                "wait for its end: `npukit board status` shows it",
                "busy",
            )
        for done in transaction.recover(self._board):
            self._tell("recovered: " + done)

    def __exit__(self, *_: object) -> None:
        self._board.lock.give_back()
