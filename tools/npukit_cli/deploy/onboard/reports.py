"""What is told about skills and releases, as plain data."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Tuple

from . import service
from .files import read_json
from .layout import SkillPlace


def life_of(place: SkillPlace) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """State and heartbeat of the release in use; empty where another one wrote them last."""
    state = read_json(place.state)
    if state.get("release") != place.release():
        return {}, {}
    return state, read_json(place.heartbeat)


def status_of(place: SkillPlace) -> Dict[str, Any]:
    """What a skill does."""
    (state, beat), current = life_of(place), place.release()
    running = service.is_running(place)
    word = state.get("state", "stopped")
    if not running and word not in ("finished", "stopped", "crash loop"):
        word = "cut off" if state else "stopped"  # its supervisor was killed
    return {
        "skill": place.name,
        "release": current,
        "version": place.facts(current).get("version") if current else None,
        "state": word,
        "running": running,
        "enabled": bool(place.settings().get("enabled")),
        "previous": place.settings().get("previous"),
        "pid": state.get("pid") if running else None,
        "restarts": state.get("restarts", 0),
        "exit_code": state.get("exit_code"),
        "started_at": state.get("started_at"),
        "frames": beat.get("frames"),
        "fps": beat.get("fps"),
        "model_loaded": beat.get("model_loaded"),
        "last_error": beat.get("last_error"),
        "seen_s_ago": round(time.time() - beat["time"], 1) if "time" in beat else None,
        "recovering": os.path.lexists(place.journal),
    }


def release_of(place: SkillPlace, name: str) -> Dict[str, Any]:
    """What is known of a release."""
    found = place.facts(name)
    return {
        "skill": place.name,
        "release": name,
        "version": found.get("version"),
        "target": found.get("target"),
        "sha256": found.get("sha256"),
        "installed_at": found.get("installed_at"),
        "current": name == place.release(),
        "previous": name == place.settings().get("previous"),
    }
