"""What `npukit convert` does and shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from npukit.errors import ConfigError
from npukit.files import replacing
from npukit_cli import output
from npukit_cli.conversion_report import MEASURED, conversion_page, measured_rows
from npukit_cli.quantization_report import quantization_page
from npukit_convert.chain import Planned, convert, plan, step_names
from npukit_convert.config import ConvertConfig, write_config
from npukit_convert.conversion import Conversion, StepReport
from npukit_convert.errors import Rejected
from npukit_convert.record import quantization_to_dict, to_record, write_results
from npukit_convert.request import Request

if TYPE_CHECKING:
    from npukit_convert.figures import Figures
    from npukit_convert.quantization.quantize import Quantization


_REJECTED = ".rejected"


def run(request: Request, out: Path, quiet: bool) -> tuple[Conversion, Mapping[str, Path]]:
    """Convert and write the results, with a progress line for a person at the terminal.

    What misses its floor is written too, aside: earlier results stay as they are.

    Raises:
        Rejected: a quantised network misses its floor; as all of `convert`.
    """
    try:
        with output.progress(len(step_names(request.config)), hidden=quiet) as tell_step:
            made = convert(request.config, request.folder, request.where, tell_step, output.say)
    except Rejected as rejected:
        write_results(rejected.made, out, _pages(rejected.made), _REJECTED)
        for step in rejected.made.steps:  # they may be why
            _tell_notes(step)
        aside = out / f"{request.config.name}.*{_REJECTED}*"
        rejected.hint = f"{rejected.hint}. What was made is kept aside: {aside}"
        raise
    return made, write_results(made, out, _pages(made))


def _pages(made: Conversion) -> dict[str, str]:
    """The reports, suffix to text."""
    pages = {".report.html": conversion_page(made)}
    if made.quantization is not None:
        figures = quantization_to_dict(made.quantization)
        pages[".quantization.json"] = json.dumps(figures, indent=1) + "\n"
        pages[".quantization.html"] = quantization_page(made.quantization.result, made.config.name)
    return pages


def tell(made: Conversion, files: Mapping[str, Path], as_json: bool) -> None:
    """Show what was done."""
    if as_json:
        paths = {name: str(path) for name, path in files.items()}
        output.as_json({**to_record(made), "files": paths})
        return
    output.table(
        f"{made.config.name}: each form against an earlier one, max abs on noise and frames",
        ("step", "form", "against", "noise", "frames", "cosine", "s"),
        [_row(step) for step in made.steps],
    )
    rewrites = [one for step in made.steps for one in step.passes if one.changes or not one.kept]
    if rewrites:
        output.table(
            "rewrites of the graph",
            ("pass", "changes", "max abs", "added in fp16", "result"),
            [
                (
                    one.name,
                    str(len(one.changes)),
                    f"{one.max_abs:.2g}" + ("*" if one.together > 1 else ""),
                    "-" if one.fp16_added is None else f"{one.fp16_added:+.1e}",
                    "kept" if one.kept else f"undone: {one.why}",
                )
                for one in rewrites
            ],
        )
        if any(one.together > 1 for one in rewrites):
            output.say("* of all rewrites of a stage together: the network is large")
    if made.quantization is not None:
        _tell_quantization(made.quantization)
    for step in made.steps:
        if step.measured:
            output.table(
                f"{step.name}: what the chip's arithmetic changes in the outputs, on frames",
                MEASURED,
                measured_rows(step.measured),
            )
        _tell_notes(step)
    for path in files.values():
        output.result(str(path))


def _tell_notes(step: StepReport) -> None:
    for note in step.notes:
        output.say(f"note: {note}")


def _tell_quantization(done: Quantization) -> None:
    """What became of the size and the speed, the floors, and what the task measures."""
    result = done.result
    speed = "" if result.speed is None else f", {result.speed.ratio:.2f}x as fast on this CPU"
    output.say(
        f"{len(done.plan.int8())} layers in int8, {len(done.plan.fp16())} in fp16: "
        f"{result.quantised_bytes / result.fp32_bytes:.2f} of the size{speed}"
    )
    whose = "default floor" if result.default_floor else "floor"
    output.table(
        f"{result.preset} on {result.evaluation}",
        ("what", whose, "measured", "float32"),
        [
            *(
                (one.metric, f"{one.limit:.4g}", f"{one.measured:.4g}", "-")
                for one in result.floors
            ),
            *(
                (f"{name} ({one.unit})", "-", f"{one.quantised:.4g}", f"{one.fp32:.4g}")
                for name, one in result.task.items()
            ),
        ],
    )


def tell_plan(request: Request, out: Path, as_json: bool) -> None:
    """Show what would be done."""
    steps = plan(request.config, request.folder)
    if as_json:
        config = request.config.model_dump(mode="json", exclude_none=True)
        output.as_json(
            {
                "config": config,
                "folder": str(request.folder),
                "steps": [asdict(step) for step in steps],
                "out": str(out),
            }
        )
        return
    output.table(
        f"{request.config.name}: nothing was done; the steps are",
        ("step", "what it does", "inputs"),
        [(step.name, step.does, _exact(step)) for step in steps],
    )
    output.result(f"files are found from {request.folder}, results go to {out}")


def save(path: Path, config: ConvertConfig) -> None:
    """Write a config, whole or not at all.

    Raises:
        ConfigError: it cannot be written, or is there already.
    """
    if path.exists():
        raise ConfigError("the file is there already", where=str(path), hint="give another name")
    try:
        with replacing(str(path)) as temporary:
            Path(temporary).write_text(write_config(config), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _exact(step: Planned) -> str:
    """What a step works on: files by content, or the form before it and the passes."""
    files = [f"{name} (SHA-256 {digest[:12]})" for name, digest in step.inputs.items()]
    return "\n".join([*files, *step.passes]) or "the forms before it"


def _row(step: StepReport) -> tuple[str, ...]:
    done = step.verified
    seconds = f"{step.seconds:.2f}"
    if done is None:
        return (step.name, "-", "-", "-", "-", "-", seconds)
    cosine = done.frames or done.noise
    return (
        step.name,
        done.form,
        done.against,
        _max_abs(done.noise),
        _max_abs(done.frames),
        "-" if cosine is None else f"{cosine.cosine:.6f}",
        seconds,
    )


def _max_abs(figures: Figures | None) -> str:
    return "-" if figures is None else f"{figures.max_abs:.2g}"
