"""Runs the job of one folder: `python _run_job.py FOLDER`; job.json -> result.json, log.txt.

Starts on whatever Python is where the compiler is (3.7 or later, nothing but the standard
library), so it imports nothing of npukit. The tool's output goes to stdout line by line. When
stdin ends, whoever asked has gone: the tool is killed, and with --temporary the folder removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

FORMAT = 1
_GRACE_S = 3.0


def find_tool(job: Dict[str, Any]) -> Tuple[Optional[str], Dict[str, Any], List[str]]:
    """The program, the installation that it belongs to, and where it was looked for.

    In order: the path that the job gives; PATH; the usual folders, whose variables are this
    machine's.
    """
    if job.get("command"):
        given = os.path.expanduser(job["command"])
        return shutil.which(given), {}, [given]
    looked = [job["tool"] + " on PATH"]
    found = shutil.which(job["tool"])
    if found:
        return found, {}, looked
    for install in job["installs"]:
        path = os.path.expanduser(os.path.expandvars(install["tool"]))
        looked.append(path)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path, install, looked
    return None, {}, looked


def run(folder: str, temporary: bool) -> int:
    """Run the job; 0 if the tool made its outputs."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    result: Dict[str, Any] = {
        "format": FORMAT, "code": None, "looked": [], "outputs": {}, "tool": None, "seconds": 0.0,
        "machine": platform.machine(), "python": platform.python_version(),
    }  # fmt: skip
    start = time.monotonic()
    try:
        result["status"] = _status(folder, job, result)
    finally:
        result["seconds"] = round(time.monotonic() - start, 3)
    if result["status"] == "abandoned" and temporary:
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    part = os.path.join(folder, "result.json.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(part, os.path.join(folder, "result.json"))
    return int(result["status"] != "done")


def _status(folder: str, job: Dict[str, Any], result: Dict[str, Any]) -> str:
    for name, digest in job["inputs"].items():
        if _sha256(os.path.join(folder, name)) != digest:
            result["looked"] = [name]
            return "damaged"
    if job.get("script"):
        command: List[str] = [sys.executable, job["script"]]
        install: Dict[str, Any] = {}
        result["tool"] = " ".join(command)
    else:
        result["tool"], install, result["looked"] = find_tool(job)
        if result["tool"] is None:
            return "missing"
        command = [result["tool"]]
    for name in job["outputs"]:
        if os.path.exists(os.path.join(folder, name)):
            os.remove(os.path.join(folder, name))
    environment = _environment(job, install)
    result["code"], why = _call(
        _with_setup(command + job["arguments"], install), folder, environment, job["timeout_s"]
    )
    if why:
        return why
    outputs = [os.path.join(folder, name) for name in job["outputs"]]
    if result["code"] != 0 or not all(map(_holds_something, outputs)):
        return "failed"
    result["outputs"] = {name: _sha256(os.path.join(folder, name)) for name in job["outputs"]}
    return "done"


def _environment(job: Dict[str, Any], install: Dict[str, Any]) -> Dict[str, str]:
    environment = dict(os.environ)
    for name, value in install.get("prepend", {}).items():
        parts = [os.path.expandvars(value), environment.get(name, "")]
        environment[name] = os.pathsep.join(part for part in parts if part)
    environment.update(job["environment"])
    return environment


def _with_setup(command: List[str], install: Dict[str, Any]) -> List[str]:
    """The command in the environment that the vendor's script sets up, where there is one."""
    for setup in install.get("setup", []):
        path = os.path.expanduser(os.path.expandvars(setup))
        if os.path.isfile(path):
            return ["bash", "-c", '. "$0" >/dev/null 2>&1; exec "$@"', path, *command]
    return command


def _call(
    command: List[str], folder: str, environment: Dict[str, str], timeout_s: float
) -> Tuple[Optional[int], str]:
    """The tool's return code, and `timeout`, `abandoned` or nothing."""
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        with open(os.path.join(folder, "log.txt"), "w", encoding="utf-8") as report:
            report.write("{}: {}\n".format(command[0], error.strerror))
        return 127, ""
    why: List[str] = []

    def end(reason: str) -> None:
        why.append(reason)
        _kill(process)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end("abandoned")

    threading.Thread(target=watch, daemon=True).start()
    timer = threading.Timer(timeout_s, end, ["timeout"])
    timer.daemon = True
    timer.start()
    assert process.stdout is not None  # noqa: S101 - for type checkers
    with open(os.path.join(folder, "log.txt"), "wb") as log:
        for line in process.stdout:
            log.write(line)
            log.flush()
            _show(line)
    code = process.wait()
    timer.cancel()
    return code, why[0] if why else ""


def _show(line: bytes) -> None:
    try:
        sys.stdout.write(line.decode("utf-8", "replace"))
        sys.stdout.flush()
    except (OSError, ValueError):  # nobody listens; stdin tells the rest
        pass


def _kill(process: Any) -> None:
    """End the tool and what it has started: they are a group of their own."""
    for number, wait_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, 0.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline and _group_lives(process.pid):
            time.sleep(0.02)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _holds_something(path: str) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) > 0


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "--temporary" in sys.argv[2:]))
