"""Whether a skill that was just started does its work."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, NamedTuple

from . import service
from .board_error import BoardError
from .files import read_json
from .layout import SkillPlace

_POLL_S = 0.05
_TAIL = 20  # lines


class Limits(NamedTuple):
    """What a release must show: `frames` processed within `seconds`."""

    frames: int = 10
    seconds: float = 60.0


def wait_until_healthy(place: SkillPlace, limits: Limits) -> Dict[str, Any]:
    """Wait for the frames.

    Returns:
        The heartbeat.

    Raises:
        BoardError: of kind `unhealthy`: the cause in a sentence, and the end of the log.
    """
    deadline = time.monotonic() + limits.seconds
    while True:
        state, beat = read_json(place.state), read_json(place.heartbeat)
        if beat.get("frames", 0) >= limits.frames and not state.get("restarts"):
            return beat
        ended = state.get("exit_code") is not None
        if ended or not service.is_running(place) or time.monotonic() > deadline:
            beat = read_json(place.heartbeat)
            if beat.get("frames", 0) >= limits.frames and state.get("exit_code") == 0:
                return beat  # a short source, seen to its end
            raise BoardError(
                _cause(place, state, beat, limits),
                "see the end of its log below; `npukit run` shows the same skill on this machine",
                "unhealthy",
                "\n".join(tail(place, _TAIL)),
            )
        time.sleep(_POLL_S)


def tail(place: SkillPlace, lines: int) -> List[str]:
    """The last lines of the skill's log."""
    wanted = max(lines, 1)
    text = b""
    for path in (place.log, place.log + ".1"):
        if text.count(b"\n") <= wanted and os.path.exists(path):
            with open(path, "rb") as file:
                file.seek(max(0, os.path.getsize(path) - 400 * wanted))
                text = file.read() + text
    return text.decode("utf-8", "replace").splitlines()[-wanted:]


def _cause(place: SkillPlace, state: Dict[str, Any], beat: Dict[str, Any], limits: Limits) -> str:
    seen = "{} of {} frames".format(beat.get("frames", 0), limits.frames)
    code = state.get("exit_code")
    if code is not None:
        how = "ended" if code >= 0 else "was killed"
        what = "exit code {}".format(code) if code >= 0 else "signal {}".format(-code)
        why = _reason(place, beat)
        return "the skill {} ({}) after {}{}".format(how, what, seen, ": " + why if why else "")
    if not service.is_running(place):
        return "the skill's supervisor ended after {}".format(seen)
    if not beat:
        return "the skill gave no sign of life in {:g} s (no heartbeat)".format(limits.seconds)
    if not beat.get("model_loaded"):
        return "the skill did not load its models in {:g} s".format(limits.seconds)
    return "the skill processed {} in {:g} s".format(seen, limits.seconds)


def _reason(place: SkillPlace, beat: Dict[str, Any]) -> str:
    """The skill's own last error, else the last line that looks like an exception."""
    if beat.get("last_error"):
        return str(beat["last_error"])
    for line in reversed(tail(place, _TAIL)):
        text = line.partition(" ")[2]
        if text and not text.startswith((" ", "npukit: ")):
            return text
    return ""
