"""A folder that appears whole, or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import Any, Dict, Iterator

from .errors import BundleError

_SPARE = 1 << 20  # bytes that stay free on the disk


@contextmanager
def scratch(folder: str) -> Iterator[str]:
    """A new folder beside `folder`; what of it is there at the end is removed."""
    parent, name = os.path.split(os.path.abspath(folder))
    path = os.path.join(parent, ".{}.{}".format(name, os.getpid()))
    shutil.rmtree(path, ignore_errors=True)  # of a killed process with the same number
    os.mkdir(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def check_space(folder: str, manifest: Dict[str, Any]) -> None:
    """Refuse what the disk has no room for.

    Raises:
        BundleError: says how much is lacking.
    """
    block = os.statvfs(folder).f_frsize
    sizes = [item["size"] for item in manifest["files"].values()]
    needed = sum(-(-size // block) * block for size in sizes) + _SPARE
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise BundleError(
            "the disk has {} bytes free, needed are {}".format(free, needed),
            "remove what is not needed, such as older versions",
        )


def write(path: str, chunks: Iterator[bytes], executable: bool = False) -> None:
    """Write a new file; its folders are made."""
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(path, flags, 0o755 if executable else 0o644)
    with os.fdopen(handle, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
