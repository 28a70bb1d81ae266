"""A skill as one file for one board: `NAME-VERSION.skill`.

Equal input gives equal bytes: names in order, no owners, no times. (The compressed bytes also
depend on the zlib that Python is linked to.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npukit import __version__
from npukit.errors import ConfigError
from npukit.profiles import load_board, load_target
from npukit_cli.deploy.collecting import File
from npukit_cli.deploy.errors import DeployError
from npukit_cli.deploy.onboard.archive import END, Entry, header, padding
from npukit_cli.deploy.onboard.contents import (
    FORMAT,
    MANIFEST,
    MAX_MANIFEST,
    SIGNATURE,
    check_manifest,
    version_key,
)
from npukit_cli.deploy.onboard.errors import BundleError
from npukit_cli.deploy.payload import Payload, payload, skill_manifest
from npukit_cli.deploy.signing import sign

_OLDEST_PYTHON = "3.7"  # of the runtime


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory.

    Attributes:
        data: the file's bytes.
        manifest: what its `bundle.json` holds.
        sha256: of `data`.
        signed: whether a signature is in it.
    """

    name: str
    version: str
    data: bytes
    manifest: dict[str, Any]
    sha256: str
    signed: bool = False

    @property
    def file_name(self) -> str:
        """What its file is called."""
        return f"{self.name}-{self.version}.skill"


def make_bundle(
    skill_folder: Path,
    board: str,
    signer: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Bundle:
    """Make a bundle.

    Args:
        skill_folder: of the skill.
        board: name of its profile; one of those that the skill's manifest names.
        signer: an SSH private key (or the public one, where ssh-agent has the private).
        settings: of the skill's parameters, where they are decided: only the models that they
            need are packed.

    Raises:
        ConfigError: the manifest is wrong, a file is missing or must not be shipped, the code or
            the models do not fit the board.
        ModelError: a model's file is damaged.
        SigningError: the key cannot sign.
    """
    found = payload(skill_folder, board, settings)
    try:
        manifest = _bundle_manifest(found)
        text = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
        if len(text) > MAX_MANIFEST:
            raise BundleError("the manifest is larger than a board takes")
        small = {MANIFEST: File(text)}
        if signer is not None:
            small[SIGNATURE] = File(sign(text, signer))
        data = _pack({**small, **{name: found.files[name] for name in sorted(found.files)}})
    except BundleError as error:
        raise DeployError(error.message, where=str(skill_folder), hint=error.hint) from error
    return Bundle(
        found.manifest.name,
        found.manifest.version,
        data,
        manifest,
        hashlib.sha256(data).hexdigest(),
        signer is not None,
    )


def choose_board(skill_folder: Path, target: str | None, board: str | None) -> str:
    """The board that is meant: the named one, or the skill's only one of a target.

    Raises:
        ConfigError: none or several, or the two contradict each other.
    """
    known = skill_manifest(skill_folder).boards
    if target is None and board is None:
        raise ConfigError(
            "for which board?", hint=f"--board NAME; the skill runs on {', '.join(known)}"
        )
    if board is not None:
        if target is not None and load_board(board).target != target:
            raise ConfigError(
                f"{board} has target {load_board(board).target}, not {target}",
                hint="give --board or --target alone",
            )
        return board
    load_target(str(target))
    fitting = [name for name in known if load_board(name).target == target]
    if len(fitting) != 1:
        raise ConfigError(
            f"the skill runs on {'several boards' if fitting else 'no board'} of target {target}",
            where=str(skill_folder),
            hint=f"--board NAME, one of {', '.join(fitting or known)}",
        )
    return fitting[0]


def _bundle_manifest(found: Payload) -> dict[str, Any]:
    asked = found.manifest.requires
    manifest = {
        "format": FORMAT,
        "name": found.manifest.name,
        "version": found.manifest.version,
        "title": found.manifest.title,
        "board": found.board.name,
        "target": found.board.target,
        "runtime": found.board.runtime,
        "npukit": __version__,
        "entry": found.entry,
        "requires": {
            "python": max(asked.python, _OLDEST_PYTHON, key=version_key),
            "firmware": asked.firmware.get(found.board.name, ""),
            "memory": found.memory,
        },
        "models": found.models,
        "files": {name: _described(file) for name, file in sorted(found.files.items())},
    }
    check_manifest(manifest)
    return manifest


def _described(file: File) -> dict[str, Any]:
    said: dict[str, Any] = {
        "size": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
    }
    return {**said, "executable": True} if file.executable else said


def _pack(files: Mapping[str, File]) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed:
        for name, file in files.items():
            packed.write(header(Entry(name, len(file.data), file.executable)))
            packed.write(file.data)
            packed.write(padding(len(file.data)))
        packed.write(END)
    return stream.getvalue()
