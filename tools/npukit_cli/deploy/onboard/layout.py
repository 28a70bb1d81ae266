"""Where everything lies below the board's root.

agent/          this program, by its hash; agent.pyz points at the one to boot with
store/          pieces of bundles by their hash
incoming/       bundles put together from pieces, until they are installed
allowed_signers where it is there, only bundles signed by one of these keys are taken
lock            held by whoever changes something
skills/NAME/    releases/VERSION-HASH/, current -> releases/..., workspace/, settings.json,
                journal.json (only while a switch is under way), run/, logs/
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Optional

from .board_error import BoardError
from .files import Lock, read_json, switch_link, sync_folder, write_json

RELEASE_FILE = ".npukit-release.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class SkillPlace:
    """One skill's folder."""

    def __init__(self, board: BoardPlace, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise BoardError("{!r} is no name of a skill".format(name))
        self.board = board
        self.name = name
        self.folder = os.path.join(board.skills, name)
        self.releases = os.path.join(self.folder, "releases")
        self.current = os.path.join(self.folder, "current")
        self.workspace = os.path.join(self.folder, "workspace")
        self.journal = os.path.join(self.folder, "journal.json")
        self.settings_file = os.path.join(self.folder, "settings.json")
        self.run = os.path.join(self.folder, "run")
        self.heartbeat = os.path.join(self.run, "heartbeat.json")
        self.state = os.path.join(self.run, "state.json")
        self.log = os.path.join(self.folder, "logs", "skill.log")
        self.supervisor = Lock(os.path.join(self.run, "supervisor.lock"))

    def make(self) -> None:
        """Make the folders that are missing."""
        for path in (self.releases, self.workspace, self.run, os.path.dirname(self.log)):
            os.makedirs(path, exist_ok=True)
        sync_folder(self.folder)
        sync_folder(self.board.skills)

    def release(self) -> Optional[str]:
        """The release that `current` points at, if it is there whole."""
        try:
            name = os.path.basename(os.readlink(self.current))
        except OSError:
            return None
        return name if self.has(name) else None

    def has(self, release: Optional[str]) -> bool:
        """Whether a release is there whole."""
        return bool(release) and os.path.isfile(os.path.join(self.path(str(release)), RELEASE_FILE))

    def path(self, release: str) -> str:
        """The folder of a release."""
        return os.path.join(self.releases, release)

    def facts(self, release: str) -> Dict[str, Any]:
        """What was written down when the release was installed."""
        return read_json(os.path.join(self.path(release), RELEASE_FILE))

    def list(self) -> List[str]:
        """The releases that are there whole, the newest first."""
        names = os.listdir(self.releases) if os.path.isdir(self.releases) else []
        whole = [name for name in names if not name.startswith(".") and self.has(name)]
        return sorted(whole, key=lambda name: -float(self.facts(name).get("installed_at", 0)))

    def point_at(self, release: Optional[str]) -> None:
        """Switch `current`, in one step."""
        if release is not None:
            switch_link(self.current, os.path.join("releases", release))
        elif os.path.lexists(self.current):
            os.remove(self.current)
            sync_folder(self.folder)

    def settings(self) -> Dict[str, Any]:
        """`enabled` (start at boot) and `previous` (release to roll back to)."""
        return read_json(self.settings_file)

    def set(self, **changes: Any) -> None:
        """Change settings."""
        write_json(self.settings_file, {**self.settings(), **changes})


class BoardPlace:
    """The root folder."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))
        self.agents = os.path.join(self.root, "agent")
        self.store = os.path.join(self.root, "store")
        self.incoming = os.path.join(self.root, "incoming")
        self.skills = os.path.join(self.root, "skills")
        self.signers = os.path.join(self.root, "allowed_signers")
        self.lock = Lock(os.path.join(self.root, "lock"))

    def make(self) -> None:
        """Make the folders that are missing."""
        for path in (self.agents, self.store, self.incoming, self.skills):
            os.makedirs(path, exist_ok=True)

    def skill(self, name: str) -> SkillPlace:
        """One skill's folder, there or not."""
        return SkillPlace(self, name)

    def installed(self) -> List[SkillPlace]:
        """Every skill that has a folder."""
        names = os.listdir(self.skills) if os.path.isdir(self.skills) else []
        return [self.skill(name) for name in sorted(names) if _NAME.fullmatch(name)]

    def one(self, name: Optional[str]) -> SkillPlace:
        """The skill of that name, or the only one.

        Raises:
            BoardError: there is none, or a name must be given.
        """
        known = [place for place in self.installed() if place.list()]
        names = ", ".join(place.name for place in known) or "none"
        chosen = [place for place in known if name in (None, place.name)]
        if not chosen:
            said = "no skill" if name is None else "no skill {!r}".format(name)
            raise BoardError("{} is installed".format(said), "installed: " + names, "missing")
        if len(chosen) > 1:
            raise BoardError("several skills are installed", "name one of: " + names, "missing")
        return chosen[0]
