"""What was done and with what, for the file beside the results."""

from __future__ import annotations

import glob
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npukit import __version__
from npukit.runtime.build import write_build
from npukit_convert.errors import ConversionError

if TYPE_CHECKING:
    from npukit_convert.conversion import Conversion, StepReport
    from npukit_convert.quantization.quantize import Quantization

_LIBRARIES = ("torch", "onnx", "onnxsim", "onnx-ir", "onnxruntime", "opencv-python")


def versions() -> dict[str, str]:
    """The version of npukit and of each library that a conversion goes through."""
    found = {"npukit": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            continue
    return found


def to_record(made: Conversion) -> dict[str, Any]:
    """The build record, without the hashes of the results."""
    record: dict[str, Any] = {
        "config": made.config.model_dump(mode="json", exclude_none=True),
        "versions": versions(),
        "sources": dict(made.sources),
        "steps": [step_to_dict(step) for step in made.steps],
    }
    if made.caffe is not None:
        record["caffe"] = {
            "layers": len(made.caffe.layers),
            "outputs": dict(made.caffe.outputs),
            "names": dict(made.caffe.names),
        }
    if made.quantization is not None:
        record["quantization"] = quantization_to_dict(made.quantization)
    if made.compiled is not None:
        done = made.compiled
        record["compile"] = {
            "command": done.command,
            "tool": done.tool,
            "host": done.host,
            "machine": done.machine,
            "seconds": done.seconds,
        }
    elif made.uncompiled is not None:
        record["compile"] = {"command": made.uncompiled.command, "missing": True}
    return record


def quantization_to_dict(done: Quantization) -> dict[str, Any]:
    """What was quantised, and what it is worth: without pictures."""
    result = done.result
    return {
        "preset": result.preset,
        "accepted": result.accepted,
        "random_calibration": result.calibration.random,
        "calibration": asdict(result.calibration),
        "evaluation": result.evaluation,
        "evaluations": result.evaluations,
        "default_floor": result.default_floor,
        "floors": [_plain(asdict(one)) for one in result.floors],
        "findings": [asdict(one) for one in result.findings],
        "outputs": {name: _plain(asdict(one)) for name, one in result.outputs.items()},
        "task": {name: _plain(asdict(one)) for name, one in result.task.items()},
        "speed": None if result.speed is None else asdict(result.speed),
        "fp32_bytes": result.fp32_bytes,
        "quantised_bytes": result.quantised_bytes,
        "board_ms": {name: list(both) for name, both in result.board_ms.items()},
        "int8": done.plan.int8(),
        "fp16": done.plan.fp16(),
        "float": dict(done.kept),
        "layers": [_plain(asdict(one)) for one in result.layers],
        "worst": [
            _plain({"name": one.name, "output": one.output, "psnr_db": one.psnr_db})
            for one in result.worst
        ],
    }


def _plain(figures: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in figures.items()
    }


def step_to_dict(step: StepReport) -> dict[str, Any]:
    """One step as plain data."""
    return {
        "name": step.name,
        "does": step.does,
        "seconds": round(step.seconds, 3),
        "verified": None if step.verified is None else step.verified.to_dict(),
        "passes": [
            {**asdict(one), "stage": one.stage.name.lower(), "fp16_added": one.fp16_added}
            for one in step.passes
        ],
        "notes": list(step.notes),
        "measured": {what: asdict(one) for what, one in step.measured.items()},
    }


def write_results(
    made: Conversion,
    folder: Path,
    pages: Mapping[str, str] | None = None,
    suffix: str = "",
) -> dict[str, Path]:
    """Write all results of a conversion; older ones stay whole until all new ones are complete.

    Args:
        made: the conversion.
        folder: is made when it does not exist.
        pages: further files, suffix such as `.report.html` to text.
        suffix: of every file, such as `.rejected` for what is not to be used.

    Returns:
        The files by name; the build record is the last.

    Raises:
        ConversionError: the folder cannot be written.
    """
    name = made.config.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_left(folder, name)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}.{os.getpid()}.", dir=folder))
        try:
            for file, data in made.files().items():
                (temporary / file).write_bytes(data)
            if made.build is not None:
                write_build(str(temporary / f"{name}.sim"), made.build)
            record = {**to_record(made), "results": _hashes(temporary)}
            for kind, text in (pages or {}).items():
                (temporary / f"{name}{kind}").write_text(text, encoding="utf-8")
            text = json.dumps(record, indent=1, sort_keys=True) + "\n"
            (temporary / f"{name}.build.json").write_text(text, encoding="utf-8")
            return _moved(temporary, folder, suffix)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ConversionError(
            f"the results cannot be written: {error.strerror or error}",
            where=error.filename or str(folder),
            hint="earlier results are as they were",
        ) from error


def _remove_left(folder: Path, name: str) -> None:
    """Remove what runs have left that were killed while they wrote."""
    for left in folder.glob(f".{glob.escape(name)}.*.*"):
        owner = left.name.removeprefix(f".{name}.").split(".")[0]
        if left.is_dir() and owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _hashes(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
    }


def _named(file: str, suffix: str) -> str:
    """With the suffix; before `.html`, which browsers open by its name."""
    page = ".html" if file.endswith(".html") else ""
    return f"{file.removesuffix(page)}{suffix}{page}"


def _moved(source: Path, target: Path, suffix: str) -> dict[str, Path]:
    """Each file in its place, the record last: it is there only with all that it names."""
    files = sorted(source.iterdir(), key=lambda file: file.name.endswith(".build.json"))
    names = [_named(file.name, suffix) for file in files]
    places = {name: target / name for name in names}
    for file, place in zip(files, places.values(), strict=True):
        file.replace(place)
    return places
