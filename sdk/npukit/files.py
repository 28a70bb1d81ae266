"""Files written whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """A temporary path beside `path` that takes its place when the block ends well.

    On an error the temporary file is removed and an older `path` stays as it was.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    # The suffix is kept last: writers choose a format by it.
    temporary = os.path.join(folder, ".{}.{}".format(os.getpid(), name))
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
