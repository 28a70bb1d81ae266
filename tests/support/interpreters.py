"""Python interpreters of other versions, and virtual environments made with them."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_VENVS = REPOSITORY / "build" / "venvs"
_ASK = "import platform, sys; print(platform.python_version(), sys.executable)"


@functools.cache
def find_python(version: str) -> Path | None:
    """The interpreter of a version such as "3.7" that starts here, None where there is none.

    Found by starting it: what PATH holds under the name may be a pyenv shim that only says that
    the version is not selected.
    """
    for candidate in _candidates(version):
        try:
            answer = subprocess.run(
                [candidate, "-I", "-c", _ASK],
                capture_output=True,
                check=True,
                encoding="utf-8",
                timeout=30,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        found, _, executable = answer.strip().partition(" ")
        if found.startswith(f"{version}."):
            return Path(executable)
    return None


def cached_venv(python: Path, *requirements: str) -> Path:
    """The interpreter of a virtual environment with these wheels, made once and kept in build/.

    Raises:
        subprocess.CalledProcessError: it cannot be made.
    """
    recipe = "\n".join((str(python), *requirements))
    version = "".join(filter(str.isdigit, python.name))
    name = f"py{version}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    folder, done = _VENVS / name, _VENVS / name / "complete"
    _VENVS.mkdir(parents=True, exist_ok=True)
    with (_VENVS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test run may be making the same one
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _call(python, "-m", "venv", folder)
            install = ("-m", "pip", "install", "--quiet", "--only-binary=:all:")
            _call(folder / "bin" / "python", *install, *requirements)
            done.touch()
    return folder / "bin" / "python"


def clean_environment(**extra: str) -> Mapping[str, str]:
    """The environment without what would lead Python to other packages."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, **extra}


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        yield Path(folder, name)
    for root in filter(None, (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv")):
        yield from sorted(Path(root).glob(f"versions/{version}.*/bin/{name}"), reverse=True)


def _call(*command: object) -> None:
    environment = clean_environment(PIP_DISABLE_PIP_VERSION_CHECK="1")
    try:
        subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env=environment,
        )
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
