"""Whether a skill that was just started does its work."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, NamedTuple

from . import service
from .board_error import BoardError
from .files import read_json
from .layout import SkillPlace
from .logs import tail

_POLL_S = 0.05
_TAIL = 20  # lines


class Limits(NamedTuple):
    """What a release must show: `frames` processed within `seconds`."""

    frames: int = 10
    seconds: float = 60.0


def wait_until_healthy(
    place: SkillPlace, limits: Limits, tell: Callable[[str], None]
) -> Dict[str, Any]:
    """Wait for the frames; `tell` hears how many there are.

    Returns:
        The heartbeat.

    Raises:
        BoardError: of kind `unhealthy`: the cause in a sentence, and the end of the log.
    """
    deadline = time.monotonic() + limits.seconds
    told = -1
    while True:
        state, beat = read_json(place.state), read_json(place.heartbeat)
        if beat.get("frames", 0) != told:
            told = beat.get("frames", 0)
            tell("waiting for frames: {} of {}".format(min(told, limits.frames), limits.frames))
        if beat.get("frames", 0) >= limits.frames and not state.get("restarts"):
            return beat
        ended = state.get("exit_code") is not None
        if ended or not service.is_running(place) or time.monotonic() > deadline:
            beat = read_json(place.heartbeat)
            if beat.get("frames", 0) >= limits.frames and state.get("exit_code") == 0:
                return beat  # a short source, seen to its end
            raise BoardError(
                _cause(place, state, beat, limits),
                "the end of its log says more; `npukit run` shows the same skill on this machine",
                "unhealthy",
                "\n".join(_last_words(place, state)),
            )
        time.sleep(_POLL_S)


def _last_words(place: SkillPlace, state: Dict[str, Any]) -> List[str]:
    """The end of the log, without what an earlier release said."""
    lines, _ = tail(place.log, _TAIL)
    mark = "npukit: release {} started".format(state.get("release"))
    first = next((number for number, line in enumerate(lines) if mark in line), 0)
    return lines[first:]


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
    for line in reversed(tail(place.log, _TAIL)[0]):
        text = line.partition(" ")[2]
        if text and not text.startswith((" ", "npukit: ")):
            return text
    return ""
