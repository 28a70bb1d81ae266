"""A real Caffe for the tests of conversions."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.interpreters import cached_venv, find_python

from npukit_convert.execute.caffe_bvlc import REQUIREMENTS


@pytest.fixture(scope="session")
def caffe_python() -> Path:
    """A Python with BVLC Caffe; one that starts and cannot get it is a failure."""
    interpreter = find_python("3.9")
    if interpreter is None:
        pytest.skip(
            "NOT CHECKED: real Caffe. No Python 3.9 starts here (looked at PATH, $PYENV_ROOT and "
            "~/.pyenv); `pyenv install 3.9` brings one"
        )
    return cached_venv(interpreter, *REQUIREMENTS)
