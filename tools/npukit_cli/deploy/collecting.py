"""Which files of a skill's folder go to a board, and what the runtime beside them consists of."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path, PurePosixPath

import npukit
from npukit.errors import ConfigError
from npukit.manifest import MANIFESTS, Manifest

RUNTIME = "npukit"  # the folder of the runtime in a bundle
# Working files, and what belongs to this machine.
_NEVER = (".*", "__pycache__", "*.pyc", "*.pyo", "*.skill", "bundle.json", "bundle.json.sig")
# Training, conversion and tests: for the host. What a manifest names as a model goes nevertheless.
_HOST = ("model", "tests", "npukit-out", "accuracy.yaml", "performance.yaml")
_LICENCES = ("LICEN[CS]E*", "NOTICE*", "COPYING*", "README*")
_RUNTIME_FILES = ("*.py", "*.json", "py.typed")


@dataclass(frozen=True)
class File:
    """A file to be shipped."""

    data: bytes
    executable: bool = False


def skill_files(folder: Path, manifest: Manifest, models: Mapping[str, str]) -> dict[str, File]:
    """The files of a skill that a board needs, by path; the manifest itself is not among them.

    Links to files of the folder are followed, so that a bundle has none.

    Args:
        folder: of the skill.
        manifest: of the skill.
        models: those that are needed; the other files that the manifest names as models stay out.

    Raises:
        ConfigError: a link that leaves the folder, something that is neither file nor folder, a
            model that is missing, or a file in the place of the runtime.
    """
    named = {
        PurePosixPath(file).as_posix()
        for files in manifest.models.values()
        for file in files.values()
    }
    others = named - set(models.values())
    shipped: dict[str, Path] = {}
    root = folder.resolve()
    for name, path in _walk(root, root, ()):
        if name in models.values() or (name not in others and _is_shipped(name, manifest)):
            shipped[name] = path
    for name in shipped:
        if PurePosixPath(name).parts[0] == RUNTIME:
            raise ConfigError(
                f"a bundle has the runtime in {RUNTIME}/",
                where=str(folder / name),
                hint="give the skill's own folder another name",
            )
    return {name: _read(path) for name, path in shipped.items()}


def model_file(folder: Path, manifest: Manifest, name: str, target: str) -> str:
    """A model's file for a target, as a path in the skill.

    Raises:
        ConfigError: the manifest names none, it is not there, or not inside the folder.
    """
    file = manifest.models[name].get(target)
    where = str(folder)
    if file is None:
        raise ConfigError(
            f"model {name!r} has no file for target {target!r}",
            where=where,
            hint=f"convert it for {target} and name it in the manifest; it has: "
            f"{', '.join(manifest.models[name]) or 'none'}",
        )
    path = folder / file
    inside = path.resolve().is_relative_to(folder.resolve())
    if PurePosixPath(file).is_absolute() or not inside or ".." in PurePosixPath(file).parts:
        raise ConfigError(f"model {name!r}: {file} is not in the skill's folder", where=where)
    if not path.is_file():
        raise ConfigError(
            f"model {name!r} for {target} is not there",
            where=str(path),
            hint=f"compile it for {target} with the vendor's compiler, and put it there",
        )
    return PurePosixPath(file).as_posix()


def runtime_files() -> dict[str, File]:
    """The npukit runtime, pure Python 3.7, with its licence."""
    root = Path(npukit.__file__).parent
    found = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        private = {"_presets", "__pycache__"} & set(inside.parts)
        if path.is_file() and not private and _matches(path.name, _RUNTIME_FILES):
            found[f"{RUNTIME}/{inside.as_posix()}"] = File(path.read_bytes())
    for name, text in _licences().items():
        found[f"{RUNTIME}/{name}"] = File(text.encode("utf-8"))
    return found


def _licences() -> dict[str, str]:
    """LICENSE and NOTICE of npukit: the repository's, else those that were installed.

    Raises:
        ConfigError: they are missing; without them the runtime must not be passed on.
    """
    root = Path(__file__).resolve().parents[3]
    found = {}
    for name in ("LICENSE", "NOTICE"):
        if (root / "setup.py").is_file() and (root / name).is_file():
            found[name] = (root / name).read_text(encoding="utf-8")
            continue
        installed = (
            each.read_text(f"licenses/{name}") for each in metadata.distributions(name="npukit")
        )
        text = next(filter(None, installed), None)
        if text is None:
            raise ConfigError(f"npukit's {name} is not installed", hint="install npukit again")
        found[name] = text
    return found


def _walk(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Path in the skill and on the disk of every file, links followed."""
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    for path in listed:
        if _matches(path.name, _NEVER):
            continue
        real = path.resolve()
        if not real.is_relative_to(root):
            raise ConfigError("a link leaves the skill's folder", where=str(path),
                              hint=f"it leads to {real}: copy that into the skill")  # fmt: skip
        if path.is_dir():
            if real in (*above, folder.resolve(), root):
                raise ConfigError("a link leads back to its own folder", where=str(path))
            yield from _walk(path, root, (*above, folder.resolve()))
        elif path.is_file():
            yield _relative(path, root), path
        else:
            problem = "a broken link" if path.is_symlink() else "neither a file nor a folder"
            raise ConfigError(f"{problem} cannot be shipped", where=str(path),
                              hint="remove it, or exclude it in the manifest")  # fmt: skip


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_shipped(name: str, manifest: Manifest) -> bool:
    if name in MANIFESTS or name == manifest.truth:
        return False
    if _below(name, manifest.bundle.include):
        return True
    if _below(name, manifest.bundle.exclude):
        return False
    if PurePosixPath(name).parts[0] == "model":
        return _matches(PurePosixPath(name).name, _LICENCES)
    return not _below(name, _HOST)


def _below(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether the path or one of the folders that it lies in has such a name."""
    path = PurePosixPath(name)
    ways = [path.as_posix(), *(folder.as_posix() for folder in path.parents)]
    return any(_matches(way, patterns) for way in ways)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern.rstrip("/")) for pattern in patterns)


def _read(path: Path) -> File:
    try:
        return File(path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
