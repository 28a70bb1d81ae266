"""What `npukit run script.py` does: the script in a process of its own, with `hilens` in front."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npukit.capture import SOURCES
from npukit.display import SINKS
from npukit.errors import ConfigError
from npukit_cli import output
from npukit_cli.hilens_compat.settings import VARIABLE, Settings

_OUT = "npukit-out"  # beside the user, for what would leave the device
_MODEL_FOLDERS = ("model", "models", "depends")
_FILE_KINDS = ("video", "images", "h264")  # sources and sinks whose rest is a path
_KILLED = 128  # plus the signal, as shells tell it


def script_options(
    cameras: Sequence[str],
    displays: Sequence[str],
    check_value: str | None,
    threads: int,
    refused: Mapping[str, Any],
) -> Settings:
    """The settings for a script, from the options of `npukit run`.

    Raises:
        ConfigError: an option that only a skill has, or more than one camera or display.
    """
    for option, value in refused.items():
        if value:
            raise ConfigError(f"{option} is for skills: a HiLens script has no such thing")
    for option, values in (("--camera", cameras), ("--display", displays)):
        if len(values) > 1:
            raise ConfigError(f"a script takes one {option}: it stands for all that it opens")
    return Settings(
        camera=_absolute(cameras[0], SOURCES.names()) if cameras else None,
        display=_absolute(displays[0], SINKS.names()) if displays else None,
        out=str(Path(_OUT).resolve()),
        threads=threads,
        check_value=check_value,
    )


def run_script(script: str, settings: Settings, as_json: bool) -> int:
    """Run a script to its end; its exit code.

    Raises:
        ConfigError: no such script.
    """
    path = Path(script).resolve()
    if not path.is_file():
        raise ConfigError("no such script", where=script)
    with tempfile.TemporaryDirectory(prefix="npukit-") as folder:
        summary = Path(folder) / "summary.json"
        environment = {
            **_skill_folders(path.parent),
            **os.environ,
            VARIABLE: settings._replace(summary=str(summary)).to_text(),
        }
        # -P: modules of the folder that the user stands in are not the script's.
        command = [sys.executable, "-P", "-u", "-m", "npukit_cli.hilens_compat.launch", str(path)]
        # With --json the script's own output goes where people look, not into the data.
        code = _wait(command, environment, sys.stderr if as_json else None)
        counts = json.loads(summary.read_text(encoding="utf-8")) if summary.is_file() else {}
    if as_json:
        output.as_json({"script": str(path), "exit_code": code, **counts})
    elif counts:
        told = ", ".join(f"{what}: {number}" for what, number in counts["counts"].items())
        output.say(f"{path.name} ended with {code}; {told or 'nothing was read or shown'}")
    return code


def _wait(command: Sequence[str], environment: Mapping[str, str], stdout: Any) -> int:
    with subprocess.Popen(command, env=dict(environment), stdout=stdout) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue  # the script got the signal too, and ends in its own way
            return code if code >= 0 else _KILLED - code


def _skill_folders(folder: Path) -> dict[str, str]:
    """Where the device would let the skill write, and where its models lie."""
    models = [folder / name for name in _MODEL_FOLDERS if (folder / name).is_dir()]
    workspace = folder / "workspace"
    return {
        "SKILL_MODEL_PATH": f"{models[0] if models else folder}/",
        "SKILL_WORKSPACE": f"{workspace if workspace.is_dir() else folder}/",
    }


def _absolute(text: str, kinds: Sequence[str]) -> str:
    """The script runs in its own folder: a path of the user's is made absolute."""
    kind, _, rest = text.partition(":")
    if kind == "hdmi" and rest:
        return f"hdmi:{_absolute(rest, kinds)}"
    if kind in kinds:
        return f"{kind}:{_path(rest)}" if kind in _FILE_KINDS and rest else text
    return _path(text)


def _path(text: str) -> str:
    return os.path.abspath(text) + ("/" if text.endswith("/") else "")  # noqa: PTH100
