"""A skill as the console of HiLens takes it: main.py at the top, depends/, workspace/data/.

Source of the layout: the vendor's user manual, "Using an Empty Template"
(support.huaweicloud.com/intl/zh-cn/usermanual-hilens/hilens_02_0022.html).
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from npukit.errors import ConfigError
from npukit_cli.deploy import scripts
from npukit_cli.deploy.collecting import File, runtime_files
from npukit_cli.deploy.payload import BOARD_MANIFEST, Payload, payload

RUNTIME = "hilens"
FORMATS = (".zip", ".tar.gz")
_MODELS = "depends"
# Made even where nothing is in them; the last two are for what runs on the Kit.
_FOLDERS = (_MODELS, "workspace", "workspace/data")


def export(skill_folder: Path, board: str, form: str = ".zip") -> bytes:
    """Make an archive for the console; equal input gives equal bytes.

    Args:
        skill_folder: of the skill.
        board: whose runtime is HiLens'.
        form: one of `FORMATS`.

    Raises:
        ConfigError: the board is no HiLens Kit; see also `npukit_cli.deploy.bundle.payload`.
    """
    found = payload(skill_folder, board)
    if found.board.runtime != RUNTIME:
        raise ConfigError(
            f"the console is for HiLens Kits, not for {board}",
            hint="--board hilens_kit, or a bundle without --hilens-export",
        )
    files = _script(found) if scripts.is_script(skill_folder) else _laid_out(found)
    return _zip(files) if form == ".zip" else _tar(files)


def _script(found: Payload) -> dict[str, File]:
    """A script stays as it lies: it names its models itself, and needs no runtime of npukit's."""
    ours = (scripts.ENTRY, *runtime_files())
    return {name: file for name, file in sorted(found.files.items()) if name not in ours}


def _laid_out(found: Payload) -> dict[str, File]:
    moved = {file: _moved(file) for file in found.models.values()}
    files = {moved.get(name, name): file for name, file in found.files.items()}
    if len(files) != len(found.files) or "workspace" in {
        PurePosixPath(name).parts[0] for name in files
    }:
        raise ConfigError(
            f"files of the skill collide with {', '.join(_FOLDERS)}",
            where=found.manifest.folder,
            hint="these folders are the platform's: name yours otherwise",
        )
    manifest = json.loads(files[BOARD_MANIFEST].data)
    for name, file in found.models.items():
        manifest["models"][name][found.board.target] = moved[file]
    files[BOARD_MANIFEST] = File((json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
    return dict(sorted(files.items()))


def _moved(model: str) -> str:
    path = PurePosixPath(model)
    inside = path.relative_to("model") if path.parts[0] == "model" else path
    return (PurePosixPath(_MODELS) / inside).as_posix()


def _zip(files: Mapping[str, File]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _FOLDERS:
            archive.writestr(_zip_entry(f"{name}/", 0o40755), b"")
        for name, file in files.items():
            entry = _zip_entry(name, 0o100755 if file.executable else 0o100644)
            archive.writestr(entry, file.data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _zip_entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = mode << 16
    return entry


def _tar(files: Mapping[str, File]) -> bytes:
    stream = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, file in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(file.data), 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.data))
    return stream.getvalue()
