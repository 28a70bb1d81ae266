"""The SDK runs on the HiLens Kit's Python, numpy and OpenCV: a real run of each check on them.

`python37/board.py` holds the checks; this file makes the environment and starts them. What is
started is a bundle as a board gets it: a folder with `npukit` and skills, nothing installed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.interpreters import REPOSITORY, cached_venv, clean_environment, find_python

# Source: HiLens Kit documentation (Python 3.7, OpenCV 3.4.2); the last numpy for that Python.
WHEELS = ("numpy==1.21.6", "opencv-python==3.4.2.17")
SCRIPTS = Path(__file__).parent / "python37"
CHECKS = re.findall(r"^def (check_\w+)", (SCRIPTS / "board.py").read_text("utf-8"), re.MULTILINE)


def write_bundle(folder: Path) -> None:
    shutil.copytree(
        REPOSITORY / "sdk" / "npukit",
        folder / "npukit",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(SCRIPTS / "numpy_net.py", folder / "npukit" / "runtime")
    shutil.copy(REPOSITORY / "tests" / "support" / "stand_in_acl.py", folder)
    for skill in ("skill", "plain_skill"):
        shutil.copytree(SCRIPTS / skill, folder / skill)
    # The same skill as it would lie on the host: its model is for the simulator.
    shutil.copytree(SCRIPTS / "skill", folder / "needs_onnx")
    manifest = json.loads((SCRIPTS / "skill" / "skill.json").read_text("utf-8"))
    manifest["models"] = {"net": {"simulator": "net.json"}}
    manifest["boards"] = ["simulator"]
    (folder / "needs_onnx" / "skill.json").write_text(json.dumps(manifest), "utf-8")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the checks found, by name; all of them in one run of Python 3.7."""
    interpreter = find_python("3.7")
    if interpreter is None:
        pytest.skip(
            "NOT CHECKED: the SDK on Python 3.7. No Python 3.7 starts here (looked at PATH, "
            "$PYENV_ROOT and ~/.pyenv); `pyenv install 3.7` brings one"
        )
    bundle = tmp_path_factory.mktemp("bundle")
    write_bundle(bundle)
    results = bundle / "results.json"
    subprocess.run(
        [cached_venv(interpreter, *WHEELS), "-B", "-W", "error", SCRIPTS / "board.py", results],
        cwd=bundle,
        env=clean_environment(PYTHONPATH=str(bundle)),
        check=True,
        timeout=300,
    )
    found: dict[str, str] = json.loads(results.read_text("utf-8"))
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_on_the_board(outcomes: dict[str, str], check: str) -> None:
    assert outcomes[check] == ""
