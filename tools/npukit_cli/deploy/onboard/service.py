"""Starting and stopping a skill's supervisor: by systemd where that can be, else detached.

systemd is used by root on a board that booted with it. Either way the same supervisor runs the
skill; what differs is who starts it, and what starts it at boot.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import List, Optional

from .board_error import BoardError
from .files import read_json, remove_file, switch_link, write_file
from .layout import BoardPlace, SkillPlace

SYSTEMD = "/run/systemd/system"
UNITS = "/etc/systemd/system"
_START_S, _STOP_S, _POLL_S = 10.0, 25.0, 0.02
_UNIT = """[Unit]
Description=npukit skill {name}
After=network.target

[Service]
ExecStart={command}
KillMode=mixed
TimeoutStopSec=30
Restart=no

[Install]
WantedBy=multi-user.target
"""


def is_running(place: SkillPlace) -> bool:
    """Whether the supervisor is alive; it holds its lock exactly as long as it runs."""
    return place.supervisor.is_held()


def start(place: SkillPlace) -> None:
    """Start the current release; nothing happens when it runs.

    Raises:
        BoardError: the supervisor did not come up.
    """
    if is_running(place):
        return
    for stale in (place.state, place.heartbeat):
        remove_file(stale)
    if uses_systemd():
        _write_unit(place)
        _systemctl("start", _unit(place))
    else:
        with open(place.log + ".supervisor", "wb") as errors:
            subprocess.Popen(
                _command(place),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                cwd="/",
            )
    deadline = time.monotonic() + _START_S
    while not read_json(place.state):
        if time.monotonic() > deadline:
            raise BoardError(
                "the skill's supervisor did not start", "see " + place.log + ".supervisor"
            )
        time.sleep(_POLL_S)


def stop(place: SkillPlace) -> None:
    """Stop the skill, gently at first.

    Raises:
        BoardError: it cannot be stopped.
    """
    if not os.path.isdir(place.run) or not is_running(place):
        return
    if uses_systemd():
        _systemctl("stop", _unit(place))
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(place, number)
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            if not is_running(place):
                return
            time.sleep(_POLL_S)
    raise BoardError("the skill {} cannot be stopped".format(place.name))


def enable(place: SkillPlace) -> None:
    """Let the boot start (and before that, recover) the skill."""
    switch_link(os.path.join(place.board.agents, "agent.pyz"), os.path.basename(_agent()))
    if uses_systemd():
        _write_unit(place)
        _systemctl("enable", _unit(place))
    else:
        _set_crontab(place.board, wanted=True)


def disable(place: SkillPlace) -> None:
    """The boot does not start it any more."""
    if uses_systemd():
        if os.path.exists(os.path.join(UNITS, _unit(place))):
            _systemctl("disable", _unit(place))
            remove_file(os.path.join(UNITS, _unit(place)))
        return
    others = [other for other in place.board.installed() if other.name != place.name]
    if not any(other.settings().get("enabled") for other in others):
        _set_crontab(place.board, wanted=False)


def uses_systemd() -> bool:
    """Whether skills are services of systemd here."""
    return os.path.isdir(SYSTEMD) and os.geteuid() == 0 and shutil.which("systemctl") is not None


def boot_line(board: BoardPlace) -> str:
    """What a boot script must run where there is no systemd."""
    agent = os.path.join(board.agents, "agent.pyz")
    return "{} {} boot --root {}".format(sys.executable, agent, board.root)


def starts_at_boot(board: BoardPlace) -> bool:
    """Whether something on this board runs `boot_line` or the units at boot."""
    if os.environ.get("NPUKIT_VIRTUAL_BOARD"):
        return True  # starting the virtual board is its boot
    return uses_systemd() or boot_line(board) in (_crontab() or "")


def _signal(place: SkillPlace, number: int) -> None:
    pid = read_json(place.state).get("supervisor")
    if pid and is_running(place):
        try:
            os.kill(int(pid), number)
        except ProcessLookupError:
            pass


def _agent() -> str:
    return os.path.abspath(sys.argv[0])


def _command(place: SkillPlace) -> List[str]:
    here = [sys.executable, "-B", _agent(), "supervise"]
    return [*here, "--root", place.board.root, "--skill", place.name]


def _unit(place: SkillPlace) -> str:
    return "npukit-{}.service".format(place.name)


def _write_unit(place: SkillPlace) -> None:
    switch_link(os.path.join(place.board.agents, "agent.pyz"), os.path.basename(_agent()))
    command = _command(place)
    command[2] = os.path.join(place.board.agents, "agent.pyz")
    text = _UNIT.format(name=place.name, command=" ".join(command)).encode("utf-8")
    path = os.path.join(UNITS, _unit(place))
    try:
        with open(path, "rb") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    write_file(path, text)
    _systemctl("daemon-reload")


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(
        ["systemctl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip()
        raise BoardError("systemctl {}: {}".format(" ".join(arguments), said))


def _crontab() -> Optional[str]:
    if shutil.which("crontab") is None:
        return None
    done = subprocess.run(["crontab", "-l"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _set_crontab(board: BoardPlace, wanted: bool) -> None:
    """Add our line to the user's crontab; a virtual board leaves it alone."""
    before = _crontab()
    if before is None or os.environ.get("NPUKIT_VIRTUAL_BOARD"):
        return
    mark = "# npukit " + board.root
    lines = [line for line in before.splitlines() if not line.endswith(mark)]
    if wanted:
        lines.append("@reboot {} {}".format(boot_line(board), mark))
    text = "".join(line + "\n" for line in lines)
    if text != before:
        subprocess.run(["crontab", "-"], input=text.encode("utf-8"), stdout=subprocess.DEVNULL)
