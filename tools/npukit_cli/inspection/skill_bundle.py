"""Bundles (.skill): the manifest, the models, the signature. Checked to the last byte."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from npukit.errors import NpukitError
from npukit_cli.deploy.errors import DeployError
from npukit_cli.deploy.onboard.archive import Archive
from npukit_cli.deploy.onboard.bundle_files import Wanted, files, opened
from npukit_cli.deploy.onboard.contents import MANIFEST, SIGNATURE
from npukit_cli.deploy.onboard.errors import BundleError
from npukit_cli.deploy.signing import made_by
from npukit_cli.inspection.description import Description


def is_bundle(path: Path) -> bool:
    """Whether the file begins as a bundle does, or is called as one."""
    if path.suffix == ".skill":
        return True
    try:
        with path.open("rb") as file:
            entry = Archive(file).next()
    except (OSError, BundleError):
        return False
    return entry is not None and entry.name == MANIFEST


def describe_bundle(path: Path) -> Description:
    """Describe a bundle.

    Raises:
        DeployError: it is damaged, or not one.
    """
    try:
        with opened(str(path), Wanted()) as found:
            manifest, raw = found.manifest, found.raw
            wanted = set(manifest["models"].values())
            models = {}
            for entry, chunks in files(found):
                data = b"".join(chunk for chunk in chunks if entry.name in wanted)
                if entry.name in wanted:
                    models[entry.name] = data
    except BundleError as error:
        raise DeployError(error.message, where=str(path), hint=error.hint) from error
    sizes = [item["size"] for item in manifest["files"].values()]
    described = Description(
        kind="skill bundle",
        file=str(path),
        bytes=path.stat().st_size,
        name=manifest["name"],
        version=manifest["version"],
        target=f"{manifest['target']} ({manifest['board']})",
        platform=manifest["requires"]["firmware"],
        memory_bytes=manifest["requires"]["memory"],
        facts={
            "title": manifest["title"],
            "starts": manifest["entry"],
            "npukit": manifest["npukit"],
            "requires": _required(manifest["requires"]),
            "files": len(sizes),
            "unpacked": f"{sum(sizes):,} bytes",
            "signature": _signature(raw),
        },
    )
    _describe_models(described, models)
    return described


def _required(requires: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in requires.items() if value not in ("", 0)}


def _signature(raw: dict[str, bytes]) -> str:
    if SIGNATURE not in raw:
        return "none"
    try:
        return f"by {made_by(raw[MANIFEST], raw[SIGNATURE])}; whether to trust it, a board says"
    except NpukitError as error:
        return f"not valid: {error.message}"


def _describe_models(described: Description, models: dict[str, bytes]) -> None:
    from npukit_cli.inspection.recognise import describe_data  # which knows this module

    for name, data in models.items():
        try:
            described.parts[name] = describe_data(data, Path(PurePosixPath(name)))
        except NpukitError as error:
            described.notes += (f"{name}: {error.message}",)
