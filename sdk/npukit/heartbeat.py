"""A small file that tells whoever watches a skill how it is doing."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any, Dict, Optional

VARIABLE = "NPUKIT_HEARTBEAT"  # names the file
_EVERY_S = 1.0


class Heartbeat:
    """Writes the file: when models are loaded, at the first frame, then once a second at most.

    The file holds JSON: `frames`, `fps` (of the last second or more), `model_loaded`,
    `last_error`, `pid`, `time` (seconds since 1970). It is replaced in one step, so that a
    reader never sees half of it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._content: Dict[str, Any] = {
            "frames": 0, "fps": 0.0, "model_loaded": False, "last_error": None, "pid": os.getpid(),
        }  # fmt: skip
        self._written_at = 0.0
        self._written_frames = 0

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
            if self._content["frames"] == 1 or now - self._written_at >= _EVERY_S:
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
        done = self._content["frames"] - self._written_frames
        # From one frame a rate cannot be told, and a write soon after another one says nothing.
        if self._written_frames and now - self._written_at >= _EVERY_S / 2:
            self._content["fps"] = round(done / (now - self._written_at), 2)
        self._written_at, self._written_frames = now, self._content["frames"]
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
