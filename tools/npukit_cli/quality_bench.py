"""What `npukit bench --quality` does: a skill's alpha, with and without its refinements."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from npukit.addresses import hide_password
from npukit.errors import ConfigError
from npukit.manifest import Manifest, read_manifest
from npukit.session import Session
from npukit.skill import load_skill
from npukit_cli import output
from npukit_cli.running import Observer, all_of, progress, require_an_end
from npukit_cli.skills import find_skill
from npukit_cli.truth import AlphaQuality, own_truth

# The customary factors; see `npukit.quality` for the units.
_COLUMNS = (
    ("mad", "MAD e-3", 1e3),
    ("mse", "MSE e-3", 1e3),
    ("gradient", "grad e3", 1e-3),
    ("connectivity", "conn e3", 1e-3),
    ("dtssd", "dtSSD e-2", 1e2),
)
_REFINING = {"edge": "none", "smooth": 0.0}  # parameters, and the value that switches them off


def measure(
    skill: str, given: Mapping[str, Any], camera: str | None, truth: str | None, threads: int
) -> dict[str, Any]:
    """Run a clip once for each variant of the skill.

    Args:
        skill: name or folder.
        given: parameters; those that refine are switched off in turn.
        camera, truth: a clip and its exact alpha; None for the skill's own.
        threads: CPU threads of the simulated NPU.

    Raises:
        ConfigError: there is no exact alpha to compare with, or the source is live.
        NpukitError: a run failed.
    """
    folder = str(find_skill(skill))
    manifest = read_manifest(folder)
    settings = manifest.settings(given)
    exact = truth or (None if camera else own_truth(manifest, settings))
    if exact is None:
        raise ConfigError(
            "no exact alpha to compare with",
            where=hide_password(camera) if camera else folder,
            hint="give --truth, and leave crop and mirror as they are for the skill's own clip",
        )
    if camera:
        require_an_end(camera)
    rows = [
        {"variant": name, **values, **errors(folder, {**given, **values}, camera, exact, threads)}
        for name, values in variants(manifest, settings).items()
    ]
    for row in rows:
        shown = row.pop("source")
    return {
        "skill": manifest.name,
        "source": shown,
        "truth": hide_password(exact),
        "variants": rows,
    }


def errors(
    folder: str, given: Mapping[str, Any], camera: str | None, exact: str, threads: int = 1
) -> dict[str, Any]:
    """Run a clip once: its source, number of frames and errors (see `npukit.quality.Errors`).

    Raises:
        NpukitError: the run failed.
    """
    with ExitStack() as stack:
        session = stack.enter_context(Session(load_skill(folder, given, threads=threads)))
        source = camera or session.skill.capture
        quality = AlphaQuality(exact)
        stack.callback(quality.close)
        observers: list[Observer] = [quality]
        if output.is_terminal():
            observers.append(stack.enter_context(progress(source)))
        report = session.run(source, (), all_of(observers))
    if report.error is not None:
        raise report.error
    if report.interrupted:
        raise KeyboardInterrupt
    found = {
        name: float(f"{value:.6g}") for name, value in quality.meter.errors()._asdict().items()
    }
    return {"source": hide_password(source), "frames": quality.meter.frames, **found}


def variants(manifest: Manifest, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters of raw, refined, smoothed and both; of `as set` where there are none."""
    if not set(manifest.parameters) >= set(_REFINING):
        return {"as set": {}}
    on = {name: settings[name] for name in _REFINING}
    return {
        "raw": dict(_REFINING),
        "refined": {**on, "smooth": _REFINING["smooth"]},
        "smoothed": {**on, "edge": _REFINING["edge"]},
        "both": on,
    }


def tell(summary: Mapping[str, Any]) -> None:
    """Print a table in the customary units."""
    rows = summary["variants"]
    refining = ", ".join(f"{name} {rows[-1][name]}" for name in _REFINING if name in rows[-1])
    output.table(
        f"{summary['skill']} on {summary['source']}: {rows[0]['frames']} frames against "
        f"{summary['truth']}" + (f"; both: {refining}" if refining else ""),
        ("variant", *(title for _, title, _ in _COLUMNS)),
        [
            (row["variant"], *(f"{row[key] * factor:.2f}" for key, _, factor in _COLUMNS))
            for row in rows
        ],
    )
