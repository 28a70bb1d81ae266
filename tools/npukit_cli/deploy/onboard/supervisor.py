"""The process that runs a skill: restarts, an end to crash loops, its log."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any, Dict, List, Optional

from .files import read_json, write_json
from .layout import SkillPlace
from .logs import Log

_CRASHES, _WITHIN_S = 4, 60.0  # more than that is a crash loop
_POLL_S, _REPORT_S = 0.05, 5.0
_PATIENCE = ((signal.SIGINT, 8.0), (signal.SIGTERM, 4.0), (signal.SIGKILL, 5.0))
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """Runs the current release until it ends by itself, is stopped, or crashes too often."""

    def __init__(self, place: SkillPlace) -> None:
        self._place = place
        self._log = Log(place.log)
        self._stopping = False  # no Event: setting one in a signal handler can lock up
        self._state: Dict[str, Any] = {"supervisor": os.getpid(), "restarts": 0}

    def run(self) -> int:
        """The exit code of the skill's last life."""
        release = self._place.release()
        if release is None:
            return 1
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._tell(release=release, exit_code=None, state="starting", started_at=time.time())
        crashes: List[float] = []
        while True:
            code = self._live(release)
            if self._stopping or code == 0:
                state = "stopped" if self._stopping else "finished"
                self._tell(state=state, exit_code=code, pid=None)
                self._log.note("{}, exit code {}".format(state, code))
                return code
            now = time.monotonic()
            crashes = [moment for moment in crashes if now - moment < _WITHIN_S] + [now]
            if len(crashes) > _CRASHES:
                self._tell(state="crash loop", exit_code=code, pid=None)
                self._log.note("ended {} times in {:g} s: given up".format(len(crashes), _WITHIN_S))
                return code
            self._log.note("ended with exit code {}: starting it again".format(code))
            restarts = int(self._state["restarts"]) + 1
            self._tell(state="restarting", exit_code=code, restarts=restarts, pid=None)
            self._pause(min(2.0 ** len(crashes) / 4, 10.0))
            if self._stopping:
                self._tell(state="stopped")
                return code

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopping:
            time.sleep(_POLL_S)

    def _live(self, release: str) -> int:
        """Start the skill and wait for its end."""
        if os.path.exists(self._place.heartbeat):
            os.remove(self._place.heartbeat)
        child = _start(self._place, release)
        self._log.note("release {} started, process {}".format(release, child.pid))
        # The exit code of an earlier life stays until this one shows a frame.
        self._tell(state="running", pid=child.pid)
        reader = threading.Thread(target=self._read, args=(child.stdout,), daemon=True)
        reader.start()
        next_report, said = time.monotonic(), -1
        while child.poll() is None and not self._stopping:
            time.sleep(_POLL_S)
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + (_REPORT_S if said > 0 else 0.5)
                said = self._report(said)
        code = _end(child)
        reader.join(2.0)
        self._report(said)
        return code

    def _report(self, said: int) -> int:
        beat = read_json(self._place.heartbeat)
        frames = int(beat.get("frames", 0))
        if frames and frames != said:
            rate = beat.get("fps")
            self._log.note(
                "frames: {}{}".format(frames, ", {} a second".format(rate) if rate else "")
            )
            if self._state["exit_code"] is not None:
                self._tell(exit_code=None)
        return frames

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._log.write(line)

    def _tell(self, **changes: Any) -> None:
        self._state.update(changes)
        write_json(self._place.state, self._state, durable=False)


def _start(place: SkillPlace, release: str) -> subprocess.Popen[bytes]:
    facts = place.facts(release)
    environment = dict(
        os.environ,
        NPUKIT_HEARTBEAT=place.heartbeat,
        NPUKIT_RUN=json.dumps(facts.get("run", {})),
        NPUKIT_BOARD=str(facts.get("board", "")),
        SKILL_WORKSPACE=place.workspace + "/",
        PYTHONUNBUFFERED="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    return subprocess.Popen(
        [sys.executable, os.path.join(place.path(release), facts["entry"])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=place.workspace,
        env=environment,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(child: subprocess.Popen[bytes]) -> int:
    """Wait for the child; ask, then make it end. What it started ends with it."""
    for number, seconds in _PATIENCE:
        code: Optional[int] = child.poll()
        if code is None:
            child.send_signal(number)
            try:
                code = child.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        break
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    return child.wait()
