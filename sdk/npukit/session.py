"""A loaded skill and the sources that run through it, one after another."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, List, Mapping, Optional, Sequence

from npukit.addresses import hide_password
from npukit.capture import Source, open_source
from npukit.display import Sink, open_sink
from npukit.errors import ConfigError, NpukitError, check_keys, skill_failed
from npukit.heartbeat import Heartbeat, from_environment
from npukit.manifest import read_manifest
from npukit.pipeline import Packet, Pipeline, Report, Stage
from npukit.skill import Skill, load_skill


class Session:
    """Models are loaded once; each `run` starts a source anew. A context manager.

    Where the environment variable NPUKIT_HEARTBEAT names a file, it tells there how it is doing.
    """

    def __init__(self, skill: Skill) -> None:
        self.skill = skill
        self._heartbeat = from_environment()
        if self._heartbeat is not None:
            self._heartbeat.loaded()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.skill.close()

    def run(
        self,
        capture: str,
        displays: Sequence[str],
        observe: Optional[Callable[[Packet], None]] = None,
    ) -> Report:
        """Run one source to its end.

        Args:
            capture: of the source, see `open_source`.
            displays: of the sinks, see `open_sink`; none is the null sink.
            observe: sees each finished packet.

        Returns:
            The report; its `error` says what went wrong, nothing is raised, so that a broken
            source does not stop the others.
        """
        opened: List[Sink] = []
        source: Optional[Source] = None
        try:
            for target in displays or ("null",):
                opened.append(open_sink(target))
            source = open_source(capture)
            stages = self._begin()
        except NpukitError as error:
            for sink in opened:
                sink.close(complete=False)
            if source is not None:
                source.close()
            report = Report(hide_password(capture))
            report.error = error
        else:
            seen = observe if self._heartbeat is None else _counting(self._heartbeat, observe)
            report = Pipeline(source, stages, opened, seen).run()
        if self._heartbeat is not None:
            if report.error is not None:
                self._heartbeat.error(str(report.error))
            self._heartbeat.flush()
        return report

    def _begin(self) -> Sequence[Stage]:
        try:
            self.skill.reset()
            return self.skill.stages()
        except Exception as error:
            raise skill_failed(error, "begin of a source") from error


def _counting(
    heartbeat: Heartbeat, observe: Optional[Callable[[Packet], None]]
) -> Callable[[Packet], None]:
    def seen(packet: Packet) -> None:
        if observe is not None:
            observe(packet)
        heartbeat.frame()

    return seen


def run_skill(main_file: str, given: Optional[Mapping[str, Any]] = None) -> Report:
    """What a skill's `main.py` calls, with its `__file__`: default source to default display.

    The board is that of the environment variable NPUKIT_BOARD, else the manifest's first.
    NPUKIT_RUN may hold JSON that goes before the defaults: `parameters` (by name), `capture`
    (a source) and `displays` (a list of sinks).

    Raises:
        NpukitError: the skill cannot be loaded, or the run ended with an error.
    """
    folder = os.path.dirname(os.path.abspath(main_file))
    board = os.environ.get("NPUKIT_BOARD") or read_manifest(folder).boards[0]
    asked = _asked_to_run()
    try:
        skill = load_skill(folder, {**(given or {}), **asked.get("parameters", {})}, board)
    except NpukitError as error:
        heartbeat = from_environment()
        if heartbeat is not None:
            heartbeat.error(str(error))
        raise
    with Session(skill) as session:
        report = session.run(
            asked.get("capture") or skill.capture, asked.get("displays") or [skill.display]
        )
    if report.error is not None:
        raise report.error
    return report


def _asked_to_run() -> Mapping[str, Any]:
    where = "environment variable NPUKIT_RUN"
    try:
        asked = json.loads(os.environ.get("NPUKIT_RUN") or "{}")
    except ValueError as error:
        raise ConfigError("no JSON: {}".format(error), where=where) from error
    if not isinstance(asked, dict):
        raise ConfigError("must be a mapping", where=where)
    check_keys(asked, ("parameters", "capture", "displays"), where)
    return asked
