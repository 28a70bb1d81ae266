"""Everything of a skill that goes to a board, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npukit.errors import ConfigError, did_you_mean
from npukit.manifest import Manifest, manifest_data, parse_manifest, read_manifest
from npukit.profiles import Board, load_board
from npukit.runtime.declaration import Declaration
from npukit_cli.deploy import scripts
from npukit_cli.deploy.checking import (
    check_memory,
    check_model,
    check_python,
    check_syntax,
    check_value,
)
from npukit_cli.deploy.collecting import File, model_file, runtime_files, skill_files
from npukit_cli.deploy.variants import variants

MAIN = "main.py"
BOARD_MANIFEST = "skill.json"
_MIB = 1 << 20


@dataclass(frozen=True)
class Payload:
    """What goes to a board: its files, which of them it starts, and what they need.

    Attributes:
        models: file of each, by name.
        memory: of the NPU, in bytes.
    """

    manifest: Manifest
    board: Board
    files: dict[str, File]
    models: dict[str, str]
    memory: int
    entry: str = MAIN


def skill_manifest(folder: Path) -> Manifest:
    """The manifest of a skill; of a HiLens script, which has none, what can be said of it.

    Raises:
        ConfigError: it is wrong, or the folder holds neither.
    """
    return scripts.manifest(folder) if scripts.is_script(folder) else read_manifest(str(folder))


def payload(folder: Path, board: str, settings: Mapping[str, Any] | None = None) -> Payload:
    """Collect and check it; see `bundle.make_bundle` for the arguments and what is raised."""
    manifest = skill_manifest(folder)
    if board not in manifest.boards:
        raise ConfigError(
            f"the skill does not run on {board!r}",
            where=str(folder),
            hint=did_you_mean(board, manifest.boards),
        )
    profile = load_board(board)
    needed = manifest.models if settings is None else manifest.needed_models(settings)
    models = {name: model_file(folder, manifest, name, profile.target) for name in needed}
    files = skill_files(folder, manifest, models)
    for file in (MAIN, manifest.entry.partition(":")[0], *models.values()):
        if file not in files:
            raise ConfigError(
                f"{file} is not among the files that go to a board",
                where=str(folder),
                hint="hidden files and those excluded in the manifest stay out; main.py, which "
                "calls npukit.session.run_skill(__file__), is what the board starts",
            )
    memory = _memory(folder, manifest, models, files, profile, settings)
    check_memory(memory, profile)
    check_python(manifest.requires.python, profile)
    check_syntax(files, profile)
    entry = MAIN
    if scripts.is_script(folder):
        entry = scripts.ENTRY
        files[entry] = scripts.start_file(profile)
    else:
        check_value(manifest, profile)
        files[BOARD_MANIFEST] = File(_board_manifest(manifest, profile))
    return Payload(manifest, profile, {**files, **runtime_files()}, models, memory, entry)


def _memory(
    folder: Path,
    manifest: Manifest,
    models: Mapping[str, str],
    files: Mapping[str, File],
    board: Board,
    settings: Mapping[str, Any] | None,
) -> int:
    """What the models need: those of the settings, else of the settings that need most."""
    sizes = {
        file: check_model(str(folder / file), files[file].data, board.target)
        for file in sorted(set(models.values()))
    }
    if manifest.requires.memory is not None:
        return int(manifest.requires.memory * _MIB)
    return max(
        sum(sizes[file] for file in {models[name] for name in manifest.needed_models(way)})
        for way in (variants(manifest, {}) if settings is None else (settings,))
    )


def _board_manifest(manifest: Manifest, board: Board) -> bytes:
    """The skill's manifest as JSON, with what concerns the board alone."""
    path, data = manifest_data(manifest.folder)
    kept = {key: value for key, value in data.items() if key not in ("truth", "bundle", "requires")}
    kept["models"] = {
        name: {
            key: value
            for key, value in item.items()
            if key == board.target or key in Declaration._fields
        }
        for name, item in data["models"].items()
    }
    kept["boards"] = [board.name]
    kept["capture"] = {board.name: manifest.capture[board.name]}
    kept["display"] = {board.name: manifest.display[board.name]}
    try:
        text = json.dumps(kept, indent=1, sort_keys=True, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the manifest cannot be written as JSON, which boards read: {error}", where=path
        ) from error
    parse_manifest(json.loads(text), manifest.folder, path)
    return text.encode()
