"""File operations that a power cut cannot leave half done."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from typing import IO, Any, Dict, Optional

_BLOCK = 1 << 20


def write_file(path: str, data: bytes, durable: bool = True) -> None:
    """Write whole or not at all; `durable` also waits until it is on the disk."""
    temporary = "{}.{}.tmp".format(path, os.getpid())
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:  # a full disk stays as full as it was
        remove_file(temporary)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def write_json(path: str, data: Any, durable: bool = True) -> None:
    """`write_file` of JSON."""
    write_file(path, json.dumps(data, sort_keys=True).encode("utf-8"), durable)


def read_json(path: str) -> Dict[str, Any]:
    """The mapping in a file; empty when there is none or it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = json.loads(file.read().decode("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def remove_file(path: str) -> None:
    """Remove, durably; nothing happens when it is not there."""
    try:
        os.remove(path)
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(path))


def remove_tree(path: str) -> None:
    """Remove a folder and all below it, as far as it is there."""
    shutil.rmtree(path, ignore_errors=True)


def switch_link(link: str, target: str) -> None:
    """Let `link` point at `target`, by one atomic rename."""
    temporary = "{}.{}.tmp".format(link, os.getpid())
    if os.path.lexists(temporary):
        os.remove(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, link)
    sync_folder(os.path.dirname(link))


def sync_folder(path: str) -> None:
    """Wait until the names in a folder are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sha256_of(path: str) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def tree_digest(path: str, without: str) -> str:
    """A digest of the names and contents of all files below, but for the one named."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders.sort()
        # What Python itself writes beside the code is no change of the release.
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in sorted(names):
            file = os.path.join(folder, name)
            if os.path.relpath(file, path) != without:
                line = "{} {}\n".format(os.path.relpath(file, path), sha256_of(file))
                digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


class Lock:
    """A lock that ends with the process that holds it, however that ends."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: Optional[IO[str]] = None

    def take(self, patience_s: float = 0.0) -> bool:
        """Whether it could be taken; `is_held` elsewhere holds it for a moment."""
        file = open(self._path, "a")  # noqa: SIM115 - held as long as the lock
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                file.close()
                return False
            self._file = file
            return True

    def give_back(self) -> None:
        """Let others have it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def is_held(self) -> bool:
        """Whether some process holds it now."""
        if self._file is not None:
            return True
        if not os.path.exists(self._path):
            return False
        if self.take():
            self.give_back()
            return False
        return True
