"""The page beside the results of a conversion: the proof that all forms compute the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from npukit_cli import html
from npukit_convert.config import write_config
from npukit_convert.figures import NOTABLE

if TYPE_CHECKING:
    from npukit_convert.conversion import Conversion, StepReport
    from npukit_convert.figures import Figures, Spread
    from npukit_convert.rewriting import Step

_INTRODUCTION = (
    "<p>Every form of the network was executed on the same inputs and compared with an earlier "
    "form. Allowed is a difference of {:g}, times the output's largest number where that is "
    "above 1.</p>"
)
_TOGETHER = " (measured for {} rewrites together)"
MEASURED = ("changed by", "mean", "p99.9", "largest", f"above {NOTABLE:g}")
_FIGURES = ("max abs", "mean abs", "cosine", "SNR dB", "largest number")


def conversion_page(made: Conversion) -> str:
    """The page as HTML."""
    config = made.config
    body = [
        f"<h1>{escape(config.name)}</h1>",
        _INTRODUCTION.format(config.verify.max_abs),
        *(_step(step) for step in made.steps),
        "<h2>What was read</h2>",
        html.table(("file", "SHA-256"), list(made.sources.items())),
        f"<h2>Config</h2><pre>{escape(write_config(config))}</pre>",
    ]
    if made.caffe is not None:
        names = [(one, other) for one, other in made.caffe.names.items() if one != other]
        body.append(
            f"<details><summary>{len(names)} names were changed for Caffe</summary>"
            f"{html.table(('ONNX', 'Caffe'), names)}</details>"
        )
    return html.page(f"npukit convert: {config.name}", "".join(body))


def measured_rows(measured: Mapping[str, Spread]) -> list[tuple[str, ...]]:
    """A row of `MEASURED` for each thing that is changed."""
    return [
        (what, *(f"{value:.2g}" for value in (one.mean, one.p99_9, one.max_abs)),
         f"{100.0 * one.above:.2g} %")
        for what, one in measured.items()
    ]  # fmt: skip


def _step(step: StepReport) -> str:
    parts = [f"<h2>{escape(step.name)}</h2><p>{escape(step.does)} ({step.seconds:.2f} s)</p>"]
    parts += [f"<p>Note: {escape(note)}</p>" for note in step.notes]
    if step.verified is not None:
        done = step.verified
        parts.append(
            f"<p>{escape(done.form)}, executed by {escape(done.engine)}, "
            f"against {escape(done.against)}:</p>"
        )
        kinds = (("noise", done.noise), ("real frames", done.frames))
        rows = [(kind, *_numbers(figures)) for kind, figures in kinds if figures is not None]
        rows += [(f"output {name}", *_numbers(one)) for name, one in done.outputs.items()]
        parts.append(html.table(("worst of", *_FIGURES), rows))
    if step.measured:
        parts.append("<p>What the chip's arithmetic changes in the outputs, on real frames:</p>")
        parts.append(html.table(MEASURED, measured_rows(step.measured)))
    if step.passes:
        parts.append(_passes(step.passes))
    return "".join(parts)


def _passes(passes: Sequence[Step]) -> str:
    rows = [
        (
            one.name,
            f"{one.max_abs:.2g}" + (_TOGETHER.format(one.together) if one.together > 1 else ""),
            *(
                "-" if error is None else f"{error:.2g}"
                for error in (one.fp16_before, one.fp16_after)
            ),
            "kept" if one.kept else f"undone: {one.why}",
        )
        for one in passes
        if one.changes or not one.kept
    ]
    named = {row[0] for row in rows}
    idle = [one.name for one in passes if one.name not in named]
    lists = "".join(
        f"<details><summary>{escape(one.name)}: {_count(one.changes)}</summary><ul>"
        + "".join(f"<li>{escape(change)}</li>" for change in one.changes)
        + "</ul></details>"
        for one in passes
        if one.changes
    )
    head = ("rewrite", "max abs", "fp16 error before", "fp16 error after", "result")
    table = html.table(head, rows) if rows else ""
    nothing = f"<p>Nothing to do: {escape(', '.join(idle))}.</p>" if idle else ""
    return f"{table}{lists}{nothing}"


def _count(changes: Sequence[str]) -> str:
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


def _numbers(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.max_abs:.3g}",
        f"{figures.mean_abs:.3g}",
        f"{figures.cosine:.7f}",
        f"{figures.snr_db:.1f}",
        f"{figures.peak:.3g}",
    )
