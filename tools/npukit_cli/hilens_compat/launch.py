"""The process of a script: `python -m npukit_cli.hilens_compat.launch script.py [argument ...]`."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import sys
import threading
import traceback
from typing import List, Optional

from npukit.heartbeat import from_environment
from npukit.hilens_script import prepare, watch
from npukit_cli.hilens_compat import log, state
from npukit_cli.hilens_compat.settings import VARIABLE, Settings, read_settings

_INJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject")
_INTERRUPTED = 130


def main(arguments: List[str]) -> int:
    """Run a script as the device would: from its folder, with `hilens` importable."""
    script = os.path.abspath(arguments[0])
    folder = os.path.dirname(script)
    sys.argv = [script, *arguments[1:]]
    sys.path.insert(0, folder)
    os.chdir(folder)
    other = importlib.util.find_spec("hilens")
    if other is None:
        sys.path.insert(0, _INJECT)
    else:
        log.explain("not simulated: there is a hilens module here, {}".format(other.origin))
    heartbeat = from_environment()
    if heartbeat is not None:
        watch(importlib.import_module("hilens"), heartbeat)
    code = _run(script)
    if heartbeat is not None:
        heartbeat.flush()
    summary = read_settings().summary
    if summary:
        with open(summary, "w", encoding="utf-8") as file:
            json.dump({"counts": state.counts()}, file)
    return code


def run_on_board(start_file: str, script: str) -> int:
    """What a virtual board starts: a script beside `start_file`; the exit code.

    Camera and display are those of NPUKIT_RUN, else the script's own. What would leave the
    device goes to `npukit-out` in the folder where this is started.
    """
    asked = json.loads(os.environ.get("NPUKIT_RUN") or "{}")
    displays = asked.get("displays") or [None]
    settings = Settings(asked.get("capture"), displays[0], os.path.abspath("npukit-out"))
    os.environ[VARIABLE] = settings.to_text()
    folder = os.path.dirname(os.path.abspath(start_file))
    prepare(folder)
    return main([os.path.join(folder, script)])


def _run(script: str) -> int:
    """Run it and close what it opened; the exit code."""
    raised: Optional[BaseException] = None
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:  # noqa: BLE001 - whatever a script raises is told as Python does
        raised = error  # kept: its frames hold the script's objects, which else close as complete
    code = _tell(raised, script)
    try:
        _join_threads()
    except KeyboardInterrupt:
        code = _INTERRUPTED
    failures = state.close_all(complete=code == 0)
    return code or int(failures > 0)


def _tell(raised: Optional[BaseException], script: str) -> int:
    """Write what the script raised, without the frames above it; the exit code."""
    if raised is None:
        return 0
    if isinstance(raised, KeyboardInterrupt):
        return _INTERRUPTED
    if isinstance(raised, SystemExit):
        if raised.code is None or isinstance(raised.code, int):
            return int(raised.code or 0)
        sys.stderr.write("{}\n".format(raised.code))
        return 1
    frames = raised.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    traceback.print_exception(type(raised), raised, frames)
    return 1


def _join_threads() -> None:
    """Wait for the script's threads, as Python does at its end."""
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and not thread.daemon
    ]
    for thread in others:
        thread.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
