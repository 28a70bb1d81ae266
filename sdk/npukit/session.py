"""A loaded skill and the sources that run through it, one after another."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Mapping, Optional, Sequence

from npukit.addresses import hide_password
from npukit.capture import Source, open_source
from npukit.display import Sink, open_sink
from npukit.errors import NpukitError, skill_failed
from npukit.manifest import read_manifest
from npukit.pipeline import Packet, Pipeline, Report, Stage
from npukit.skill import Skill, load_skill


class Session:
    """Models are loaded once; each `run` starts a source anew. A context manager."""

    def __init__(self, skill: Skill) -> None:
        self.skill = skill

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
            return report
        return Pipeline(source, stages, opened, observe).run()

    def _begin(self) -> Sequence[Stage]:
        try:
            self.skill.reset()
            return self.skill.stages()
        except Exception as error:
            raise skill_failed(error, "begin of a source") from error


def run_skill(main_file: str, given: Optional[Mapping[str, Any]] = None) -> Report:
    """What a skill's `main.py` calls, with its `__file__`: default source to default display.

    The board is that of the environment variable NPUKIT_BOARD, else the manifest's first.

    Raises:
        NpukitError: the skill cannot be loaded, or the run ended with an error.
    """
    folder = os.path.dirname(os.path.abspath(main_file))
    board = os.environ.get("NPUKIT_BOARD") or read_manifest(folder).boards[0]
    with Session(load_skill(folder, given, board)) as session:
        report = session.run(session.skill.capture, [session.skill.display])
    if report.error is not None:
        raise report.error
    return report
