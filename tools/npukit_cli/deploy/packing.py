"""What is flashed: a skill's folder, packed for each kind of board, or a bundle's file."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from npukit.errors import ConfigError
from npukit.manifest import Manifest, parse_manifest
from npukit_cli.deploy.bundle import Bundle, make_bundle
from npukit_cli.deploy.onboard.bundle_files import Wanted, files, opened
from npukit_cli.deploy.onboard.errors import BundleError
from npukit_cli.deploy.payload import BOARD_MANIFEST, skill_manifest
from npukit_cli.deploy.pieces import Pieces, cut
from npukit_cli.deploy.problems import DeployError
from npukit_cli.deploy.variants import variants


class Packed(NamedTuple):
    """A bundle and what of it can travel alone."""

    bundle: Bundle
    pieces: Pieces


class Cargo(Protocol):
    """What can be brought to boards."""

    def ways(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The settings to try, the best first; see `variants`."""

    def packed(self, board: str, settings: Mapping[str, Any]) -> Packed:
        """The bundle for a board and the models that the settings need."""


def cargo(skill: Path, signer: Path | None = None) -> Cargo:
    """A skill's folder, or a file of `npukit bundle`.

    Raises:
        ConfigError: the manifest is wrong; a file is to be signed, or is no bundle but a script.
        DeployError: the bundle is damaged.
    """
    if skill.is_dir():
        return _Folder(skill, signer)
    if skill.suffix == ".py":
        raise ConfigError(
            "a script is flashed with its folder", hint=f"npukit flash {skill.parent}"
        )
    if signer is not None:
        raise ConfigError("a bundle is signed when it is made", hint="npukit bundle --sign KEY")
    return _File(skill)


class _Folder:
    """Each bundle is made once, whichever board asks first: some questions come with it."""

    def __init__(self, folder: Path, signer: Path | None) -> None:
        self._folder = folder
        self._signer = signer
        self._manifest = skill_manifest(folder)
        self._made: dict[tuple[str, ...], Packed] = {}
        self._guard = threading.Lock()

    def ways(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return variants(self._manifest, given)

    def packed(self, board: str, settings: Mapping[str, Any]) -> Packed:
        key = (board, *self._manifest.needed_models(settings))
        with self._guard:
            if key not in self._made:
                bundle = make_bundle(self._folder, board, self._signer, settings)
                self._made[key] = Packed(bundle, cut(bundle.data))
            return self._made[key]


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with opened(str(path), Wanted()) as found:
                content = {entry.name: b"".join(chunks) for entry, chunks in files(found)}
        except BundleError as error:
            raise DeployError(error.message, where=str(path), hint=error.hint) from error
        said, data = found.manifest, path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        self._packed = Packed(Bundle(said["name"], said["version"], data, said, sha256), cut(data))
        self._manifest: Manifest | None = None
        if BOARD_MANIFEST in content:
            text = json.loads(content[BOARD_MANIFEST])
            self._manifest = parse_manifest(text, str(path), f"{path}: {BOARD_MANIFEST}")

    def ways(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if self._manifest is not None:
            yield self._manifest.settings(given)  # which models are in it is decided
        elif given:
            raise ConfigError("a HiLens script has no parameters", where=str(self._path))
        else:
            yield {}

    def packed(self, board: str, settings: Mapping[str, Any]) -> Packed:
        made_for = self._packed.bundle.manifest["board"]
        if board != made_for:
            raise ConfigError(f"the bundle is for {made_for}", where=str(self._path))
        return self._packed
