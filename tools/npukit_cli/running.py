"""What `npukit run` does: sources through a skill, observed, and told to the user."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npukit.addresses import hide_password
from npukit.capture import SOURCES, open_source
from npukit.display import SINKS
from npukit.errors import ConfigError, NpukitError
from npukit.manifest import read_manifest
from npukit.pipeline import Packet, Report
from npukit.session import Session
from npukit.skill import load_skill
from npukit_cli import output
from npukit_cli.pacing import make_pacer, told
from npukit_cli.report import Snapshots, write_report
from npukit_cli.skills import find_skill
from npukit_cli.truth import AlphaError, own_truth

_SCREENS = ("framebuffer", "null", "rtmp", "rtmps", "window")

Observer = Callable[[Packet], None]


@dataclass(frozen=True)
class Order:
    """What the user asked for; see the options of `npukit run`."""

    skill: str
    cameras: tuple[str, ...] = ()
    displays: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    threads: int = 1
    pace: str | None = None
    truth: str | None = None
    report: str | None = None
    json: bool = False


@dataclass
class Run:
    """One source's report and what was observed on the way."""

    report: Report
    quality: AlphaError | None
    snapshots: Snapshots | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        data = self.report.to_dict()
        if self.report.error is not None:
            data["error"] = output.error_to_dict(self.report.error)
        if self.quality is not None:
            data["quality"] = self.quality.to_dict()
        return data


def execute(order: Order) -> int:
    """Run an order; the exit code.

    Raises:
        NpukitError: the order cannot be started.
    """
    given = parse_parameters(order.parameters)
    runs: list[Run] = []
    folder = str(find_skill(order.skill))
    pacer = make_pacer(order.pace, read_manifest(folder)) if order.pace else None
    with Session(load_skill(folder, given, threads=order.threads, wrap=pacer)) as session:
        manifest = session.skill.manifest
        cameras = order.cameras or (session.skill.capture,)
        displays = order.displays or (session.skill.display,)
        targets = expand_targets(displays, cameras)
        truth = order.truth
        if truth is None and not order.cameras:
            truth = own_truth(manifest, session.skill.settings)
        for camera, sinks in zip(cameras, targets, strict=True):
            runs.append(_run_one(session, camera, sinks, truth, order))
            if runs[-1].report.interrupted or runs[-1].report.stopped:
                break
        settings = dict(session.skill.settings)
    summary: dict[str, Any] = {
        "skill": manifest.name,
        "version": manifest.version,
        "board": "simulator",
        "settings": settings,
        "runs": [run.to_dict() for run in runs],
    }
    if pacer is not None:
        summary["pace"] = pacer.to_dict()
    if order.report:
        write_report(order.report, summary, [run.snapshots for run in runs], _curves(runs))
        summary["report"] = order.report
    if order.json:
        output.as_json(summary)
    else:
        _tell(runs, order.report)
        for line in told(summary["pace"]) if "pace" in summary else ():
            output.result(line)
    return _exit_code(runs, order)


def parse_parameters(texts: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts to a mapping.

    Raises:
        ConfigError: a text without an equals sign, or a name given twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set takes NAME=VALUE, not {text!r}")
        if name in given:
            raise ConfigError(f"parameter {name} is given twice")
        given[name] = value
    return given


def require_an_end(camera: str) -> None:
    """Refuse a source that would be measured for ever; it is opened for that, and closed.

    Raises:
        ConfigError: it is live.
        CaptureError: it cannot be opened.
    """
    with closing(open_source(camera)) as source:
        if source.live:
            raise ConfigError(
                "a live source has no end, and its pace is its own: nothing to measure a skill by",
                where=source.uri,
                hint="give a clip, or pattern:1280x720; for what a live source costs, "
                "use npukit run and stop it with Ctrl-C: it shows every stage",
            )


def expand_targets(displays: Sequence[str], cameras: Sequence[str]) -> list[tuple[str, ...]]:
    """The sinks of each source: `{name}` becomes the source's name.

    Raises:
        ConfigError: a file would be written twice, or is a source.
    """
    expanded = [
        tuple(display.replace("{name}", _stem(camera)) for display in displays)
        for camera in cameras
    ]
    sources = {_place(camera) for camera in cameras}
    taken: set[str] = set()
    for camera, targets in zip(cameras, expanded, strict=True):
        for target in targets:
            place = _place(target)
            if place in sources:
                raise ConfigError(
                    f"{hide_password(camera)!r} would overwrite the source {target!r}"
                )
            if place in taken:
                raise ConfigError(
                    f"{hide_password(camera)!r} would overwrite {target!r}, "
                    "which is another result",
                    hint="put {name} into --display: it stands for the source's name",
                )
            if not _is_screen(target):
                taken.add(place)
    return expanded


def _is_screen(target: str) -> bool:
    """Whether one source after the other can be shown there."""
    kind, _, rest = target.partition(":")
    return kind in _SCREENS or (kind == "hdmi" and (not rest or _is_screen(rest)))


def _place(text: str) -> str:
    """The file or folder that a source or sink names, to compare them."""
    kind, _, rest = text.partition(":")
    return os.path.realpath(rest if kind in (*SOURCES.names(), *SINKS.names()) else text)


def _stem(camera: str) -> str:
    shown = hide_password(camera)
    if "://" in shown:  # options follow a #, and what stands for the password is no name
        shown = shown.partition("#")[0].replace("***@", "")
    return Path(shown.rstrip("/")).stem.replace(":", "_") or "source"


def _run_one(
    session: Session, camera: str, sinks: Sequence[str], truth: str | None, order: Order
) -> Run:
    with ExitStack() as stack:
        observers: list[Observer] = []
        quality = snapshots = None
        if truth:
            quality = AlphaError(truth)
            stack.callback(quality.close)
            observers.append(quality)
        if order.report:
            snapshots = Snapshots()
            observers.append(snapshots)
        if output.is_terminal() and not order.json:
            observers.append(stack.enter_context(progress(camera)))
        report = session.run(camera, sinks, all_of(observers))
    return Run(report, quality, snapshots)


def all_of(observers: Sequence[Observer]) -> Observer | None:
    """One observer for many; None for none."""
    if not observers:
        return None

    def observe(packet: Packet) -> None:
        for observer in observers:
            observer(packet)

    return observe


@contextmanager
def progress(camera: str) -> Iterator[Observer]:
    """A bar that counts the frames it is shown."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} frame {task.completed}"))
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(_stem(camera), total=None)
        yield lambda packet: bar.update(task, completed=packet.index + 1)


def _curves(runs: Sequence[Run]) -> list[list[float]]:
    return [run.quality.per_frame if run.quality else [] for run in runs]


def _tell(runs: Sequence[Run], report: str | None) -> None:
    for run in runs:
        data = run.to_dict()
        if data["frames_in"]:
            output.table(
                f"{data['source']}: {data['frames_in']} frames, {data['fps']:.1f} frames/s, "
                f"{data['cpu_ms_per_frame']:.2f} CPU ms/frame",
                ("stage", "frames", "p50 ms", "p95 ms", "p99 ms"),
                [_timing_row(name, timing) for name, timing in data["stages"].items()]
                + [_timing_row(f"latency {name}", item) for name, item in data["latency"].items()],
            )
        quality = data.get("quality")
        if quality and quality["frames"]:
            output.result(
                f"alpha against the exact one: MAD {quality['mad']:.4f}, MSE {quality['mse']:.4f} "
                f"(worst frame {quality['worst_frame']}: {quality['worst_mad']:.4f})"
            )
        for name, count in data["dropped"].items():
            output.result(f"dropped before {name}: {count}")
        for notice in data["notices"]:
            output.result(notice)
    if report:
        output.result(f"report in {report}")


def _timing_row(name: str, timing: dict[str, float]) -> tuple[str, ...]:
    return (name, str(timing["count"]), *(f"{timing[f'p{p}_ms']:.2f}" for p in (50, 95, 99)))


def _exit_code(runs: Sequence[Run], order: Order) -> int:
    code = 0
    for run in runs:
        problem = run.report.error
        if isinstance(problem, NpukitError):
            code = max(code, 1)
            if not order.json:
                output.error(problem)
        elif problem is not None:
            code = 2
            output.bug(problem, [order.skill, run.report.source])
    return 130 if any(run.report.interrupted for run in runs) else code
