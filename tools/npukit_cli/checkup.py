"""The checks behind `npukit doctor`."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from npukit.capture import SOURCES
from npukit.display import SINKS
from npukit.errors import NpukitError
from npukit.manifest import read_manifest
from npukit.plugins import Plugins
from npukit.runtime import RUNTIMES
from npukit.session import Session
from npukit.skill import load_skill
from npukit_cli.skills import bundled, bundled_root

OK, OPTIONAL, BROKEN = "ok", "optional", "broken"

_NEEDED = ("numpy", "opencv-python", "onnxruntime", "av", "PyYAML", "typer", "rich", "pydantic",
           "safetensors", "onnx", "onnx-ir", "onnxsim")  # fmt: skip
_EXTRAS = {"torch": "torch"}
_NEEDS = {"hilens": "runs on the HiLens Kit only, with the vendor's module"}
_VENDOR = {
    "omg": "Ascend DDK (HiLens Kit): compiles Caffe models",
    "atc": "Ascend CANN: compiles Caffe and ONNX models",
}


class Finding(NamedTuple):
    """One check: its name, its state (ok, optional, broken), what was found, what to do."""

    check: str
    state: str
    found: str
    action: str = ""


def checks() -> Iterator[Finding]:
    """Every check, in turn."""
    yield _python()
    yield from (_package(name) for name in _NEEDED)
    yield from (_extra(name, extra) for name, extra in _EXTRAS.items())
    yield _encoder()
    for plugins in (RUNTIMES, SOURCES, SINKS):
        yield from _plugins(plugins)
    yield from (_skill(name) for name in bundled())
    yield from (_vendor_tool(name, purpose) for name, purpose in _VENDOR.items())


def _python() -> Finding:
    # pip refuses to install npukit on an older one.
    return Finding("Python", OK, platform.python_version())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Finding:
    # Another wheel may bring the same module.
    version = _version(name) or (_version("opencv-python-headless") if "opencv" in name else None)
    if version is None:
        return Finding(name, BROKEN, "not installed", f"pip install {name}")
    if "opencv" in name and int(version.split(".")[0]) >= 5:
        return Finding(name, BROKEN, version, 'pip install "opencv-python>=4.10,<5"')
    return Finding(name, OK, version)


def _extra(name: str, extra: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(
            name, OPTIONAL, "not installed", f'to convert: pip install "npukit[{extra}]"'
        )
    return Finding(name, OK, version)


def _encoder() -> Finding:
    import av

    if "libx264" in av.codecs_available:
        return Finding("H.264 encoder", OK, "libx264")
    return Finding("H.264 encoder", OPTIONAL, "none", "MPEG-4 Part 2 is written instead")


def _plugins(plugins: Plugins[Any]) -> Iterator[Finding]:
    failures = plugins.failures()
    for name in plugins.names():
        check = f"{plugins.kind} {name}"
        if name in failures:
            yield Finding(check, OPTIONAL, failures[name], _NEEDS.get(name, "see what it needs"))
        else:
            yield Finding(check, OK, "ready")


def _skill(name: str) -> Finding:
    def run() -> str:
        folder = str(bundled_root() / name)
        manifest = read_manifest(folder)
        with Session(load_skill(folder)) as session:
            report = session.run("pattern:320x240,frames=2", ())
        if report.error is not None:
            raise report.error
        return f"{manifest.version}, two frames run on the simulator"

    return _guarded(f"skill {name}", run)


def _guarded(check: str, run: Callable[[], str]) -> Finding:
    try:
        return Finding(check, OK, run())
    except NpukitError as error:
        return Finding(check, BROKEN, error.message, error.hint)


def _vendor_tool(name: str, purpose: str) -> Finding:
    path = shutil.which(name)
    if path:
        return Finding(f"compiler {name}", OK, path)
    return Finding(f"compiler {name}", OPTIONAL, "not on PATH", purpose)
