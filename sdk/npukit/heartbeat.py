"""A small file that tells whoever watches a skill how it is doing."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Dict, Optional

VARIABLE = "NPUKIT_HEARTBEAT"  # names the file
_EVERY_S = 1.0
_BEGIN_S, _BEGIN_EVERY_S = 2.0, 0.1  # somebody waits for the first frames
_RATE_S = 0.5  # over a shorter time, a rate says nothing


class Heartbeat:
    """Writes the file: when models are loaded, at the first frame, then once a second at most.

    (Ten times a second in its first two seconds, when whoever installs it waits for frames.)
    The file holds JSON: `frames`, `fps` (of the last half second or more), `model_loaded`,
    `last_error`, `pid`, `time` (seconds since 1970). It is replaced in one step, so that a
    reader never sees half of it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._content: Dict[str, Any] = {
            "frames": 0, "fps": 0.0, "model_loaded": False, "last_error": None, "pid": os.getpid(),
        }  # fmt: skip
        self._written_at = self._begun_at = 0.0
        self._rated_at, self._rated_frames = 0.0, 0

    def loaded(self) -> None:
        """The models are loaded."""
        with self._guard:
            self._content["model_loaded"] = True
            self._write(time.monotonic())

    def frame(self) -> None:
        """One more frame was processed."""
        with self._guard:
            self._content["frames"] += 1
            now = time.monotonic()
            if self._content["frames"] == 1:
                self._begun_at = self._rated_at = now
                self._rated_frames = 1
                self._write(now)
            every = _BEGIN_EVERY_S if now - self._begun_at < _BEGIN_S else _EVERY_S
            if now - self._written_at >= every:
                self._write(now)

    def error(self, text: str) -> None:
        """Something went wrong."""
        with self._guard:
            self._content["last_error"] = text
            self._write(time.monotonic())

    def flush(self) -> None:
        """Write what was not yet written."""
        with self._guard:
            self._write(time.monotonic())

    def _write(self, now: float) -> None:
        done, seconds = self._content["frames"] - self._rated_frames, now - self._rated_at
        if self._rated_frames and seconds >= _RATE_S:
            self._content["fps"] = round(done / seconds, 2)
            self._rated_at, self._rated_frames = now, self._content["frames"]
        self._written_at = now
        self._content["time"] = time.time()
        temporary = "{}.{}".format(self._path, os.getpid())
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(self._content, file)
            os.replace(temporary, self._path)
        except OSError:  # a full disk ends no skill
            pass


def from_environment() -> Optional[Heartbeat]:
    """A heartbeat where NPUKIT_HEARTBEAT names a file, else None."""
    path = os.environ.get(VARIABLE)
    return Heartbeat(path) if path else None
