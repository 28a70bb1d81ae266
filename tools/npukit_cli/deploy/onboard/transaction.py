"""Changing what a skill runs, so that the board ends with the old release or the new one.

A release is unpacked beside the others and gets its name by one rename: it is whole or not
there. The journal is written before the old release is touched and removed when the new one was
seen to work: while it is there, whoever comes next (the next command, the boot) goes back to the
old one. Going back can itself be cut off and begun again.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from . import bundle_files, service
from .board_error import BoardError
from .files import (
    read_json,
    remove_file,
    remove_tree,
    sync_folder,
    tree_digest,
    write_json,
)
from .health import Limits, wait_until_healthy
from .layout import RELEASE_FILE, BoardPlace, SkillPlace
from .store import collect_garbage

Tell = Callable[[str], None]
_STAGING = ".staging-"


def unpack(place: SkillPlace, bundle: str, facts: Mapping[str, Any], identity: str) -> str:
    """Check a bundle and unpack it as a release.

    Args:
        place: of the skill.
        bundle: path of the file.
        facts: what to write down about the release; `target`, `board` and `version` are read.
        identity: digits that are the same for the same content and run options.

    Returns:
        The name of the release.

    Raises:
        BundleError: damaged, not signed by whom this board trusts, or for another board.
    """
    signers = place.board.signers if os.path.exists(place.board.signers) else None
    asked = {
        "expected_target": str(facts["target"]),
        "expected_board": str(facts["board"]),
        "allowed_signers": signers,
    }
    place.make()
    release = _free_name(place, "{}-{}".format(_plain(str(facts["version"])), identity[:12]))
    if place.has(release):
        bundle_files.verify(bundle, **asked)
        return release
    staging = os.path.join(place.releases, _STAGING + release)
    remove_tree(staging)
    manifest = bundle_files.unpack(bundle, staging, **asked)
    digest = tree_digest(staging, RELEASE_FILE)
    whole = {**facts, "entry": manifest["entry"], "digest": digest, "installed_at": time.time()}
    write_json(os.path.join(staging, RELEASE_FILE), whole)
    remove_tree(place.path(release))  # something without RELEASE_FILE: no release
    os.rename(staging, place.path(release))
    sync_folder(place.releases)
    return release


def switch(place: SkillPlace, new: str, limits: Limits, tell: Tell) -> Dict[str, Any]:
    """Run another release; back to the old one when it does not work.

    Returns:
        The heartbeat that it was judged by.

    Raises:
        BoardError: of kind `unhealthy`: the old release runs again as before.
    """
    old = place.release()
    entry = {
        "old": old,
        "new": new,
        "was_running": service.is_running(place),
        "settings": place.settings(),
    }
    write_json(place.journal, entry)
    try:
        tell("stopping" if entry["was_running"] else "switching")
        service.stop(place)
        place.point_at(new)
        tell("starting")
        service.start(place)
        beat = wait_until_healthy(place, limits, tell)
        previous = old if old != new else place.settings().get("previous")
        place.set(enabled=True, previous=previous)
        service.enable(place)
    except BoardError as error:
        tell("rolling back")
        _go_back(place, entry)
        error.message += _what_runs_now(entry)
        raise
    remove_file(place.journal)
    return beat


def recover(board: BoardPlace, start: bool = True) -> Sequence[str]:
    """Finish what was cut off; the lock must be held. One sentence for each thing done."""
    done = []
    for place in board.installed():
        entry = read_json(place.journal)
        if entry.get("remove"):
            remove(place, purge=bool(entry.get("purge")))
            done.append("{}: the removal that was cut off is done".format(place.name))
        elif entry:
            _go_back(place, entry, start)
            said = "an installation was cut off" + _what_runs_now(entry)
            done.append("{}: {}".format(place.name, said))
        elif os.path.lexists(place.journal):  # written by nobody: only the disk can damage it
            remove_file(place.journal)
        _sweep(place)
    return done


def prune(place: SkillPlace, keep: int) -> None:
    """Remove all but the last `keep` releases, the current and the previous one."""
    stay = {place.release(), place.settings().get("previous")}
    for release in place.list()[max(keep, 1) :]:
        if release not in stay:
            _remove_release(place, release)
    collect_garbage(place.board)


def discard(place: SkillPlace, release: str) -> None:
    """Remove a release that is not in use."""
    if release not in (place.release(), place.settings().get("previous")):
        _remove_release(place, release)


def remove(place: SkillPlace, purge: bool) -> None:
    """Remove a skill; its workspace only when `purge` is set. Carried on after a cut."""
    write_json(place.journal, {"remove": True, "purge": purge})
    service.stop(place)
    service.disable(place)
    place.point_at(None)
    for path in (place.releases, place.run, os.path.dirname(place.log)):
        remove_tree(path)
    remove_file(place.settings_file)
    if purge:
        remove_tree(place.workspace)
    collect_garbage(place.board)
    remove_file(place.journal)
    if not os.listdir(place.folder):
        os.rmdir(place.folder)


def _go_back(place: SkillPlace, entry: Mapping[str, Any], start: bool = True) -> None:
    place.make()
    if start:
        service.stop(place)
    place.point_at(entry["old"])
    write_json(place.settings_file, entry["settings"])
    if not entry["settings"].get("enabled"):
        service.disable(place)
    if start and entry["was_running"] and entry["old"]:
        service.start(place)
    remove_file(place.journal)


def _what_runs_now(entry: Mapping[str, Any]) -> str:
    if not entry["old"]:
        return "; nothing was installed before, so nothing is now"
    runs = "runs again" if entry["was_running"] else "is in place again, not running, as before"
    return "; release {} {}".format(entry["old"], runs)


def _sweep(place: SkillPlace) -> None:
    """Remove what an unpacking that was cut off left behind."""
    if os.path.isdir(place.releases):
        for name in os.listdir(place.releases):
            if not place.has(name) or name.startswith("."):
                remove_tree(place.path(name))


def _remove_release(place: SkillPlace, release: str) -> None:
    # Renamed first: a release is never there in part.
    gone = os.path.join(place.releases, _STAGING + release)
    remove_tree(gone)
    os.rename(place.path(release), gone)
    remove_tree(gone)


def _free_name(place: SkillPlace, wanted: str) -> str:
    """`wanted`, unless a release of that name was changed on the board: then beside it."""
    name: Optional[str] = wanted
    number = 1
    while place.has(name):
        found = place.facts(str(name)).get("digest")
        if found == tree_digest(place.path(str(name)), RELEASE_FILE):
            break
        number += 1
        name = "{}.{}".format(wanted, number)
    return str(name)


def _plain(version: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._+" else "_" for letter in version)
