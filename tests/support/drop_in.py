"""The drop-in `hilens` module in this process, imported afresh and forgotten afterwards.

It keeps its state (log level, open displays, counts) per process, as the device's module does.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from support.interpreters import REPOSITORY

INJECT = REPOSITORY / "tools" / "npukit_cli" / "hilens_compat" / "inject"
_OWN = ("hilens", "npukit.capture.hilens", "npukit.display.hilens", "npukit.runtime.hilens")
_PACKAGE = "npukit_cli.hilens_compat"


@contextmanager
def drop_in(folder: Path, **settings: Any) -> Iterator[ModuleType]:
    """The module, as `npukit run` would set it up.

    Args:
        folder: what leaves the device goes to its `out`; also holds the lock of the HDMI
            connector, which all runs on a machine share.
        settings: of `npukit_cli.hilens_compat.settings`.
    """
    text = json.dumps({"out": str(folder / "out"), **settings})
    before = _forget()
    try:
        with (
            mock.patch.dict(os.environ, {"NPUKIT_HILENS": text}),
            mock.patch.object(sys, "path", [str(INJECT), *sys.path]),
            mock.patch.object(tempfile, "tempdir", str(folder)),
        ):
            hilens = importlib.import_module("hilens")
            try:
                yield hilens
            finally:
                importlib.import_module(_PACKAGE + ".state").close_all(complete=False)
    finally:
        _forget()
        sys.modules.update(before)


def _forget() -> dict[str, ModuleType]:
    mine = [
        name
        for name in sys.modules
        if name in _OWN or name == _PACKAGE or name.startswith(_PACKAGE + ".")
    ]
    return {name: sys.modules.pop(name) for name in mine}
