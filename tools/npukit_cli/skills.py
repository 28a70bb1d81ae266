"""Where skills are found: a folder, or the name of one that came with npukit."""

from __future__ import annotations

from pathlib import Path

from npukit.errors import ConfigError, did_you_mean


def bundled_root() -> Path:
    """The folder of the skills that came with npukit: installed, else the repository's."""
    here = Path(__file__).resolve().parent
    installed = here / "_skills"
    return installed if installed.is_dir() else here.parents[1] / "skills"


def bundled() -> list[str]:
    """The names of the skills that came with npukit."""
    return sorted(path.parent.name for path in bundled_root().glob("*/skill.yaml"))


def find_skill(name: str) -> Path:
    """The folder of a skill.

    Args:
        name: a folder with a skill.yaml (or skill.json), or the name of a bundled skill.

    Raises:
        ConfigError: neither.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name in bundled():
        return bundled_root() / name
    raise ConfigError(
        f"no skill {name!r}: neither a folder nor the name of a bundled skill",
        hint=f"{did_you_mean(name, bundled())}; or a folder, seen from {Path.cwd()} "
        "(in the skill's own folder: `.`)",
    )


def complete_skill(incomplete: str) -> list[str]:
    """For shell completion."""
    return [name for name in bundled() if name.startswith(incomplete)]
