"""A script in the vendor's API, and what its heartbeat says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.interpreters import clean_environment

import npukit

# A STAND-IN for the vendor's module: three frames, and a model that may fail.
HILENS = """
import os
class VideoCapture:
    left = 3
    def read(self):
        if not self.left:
            raise RuntimeError("Failed to read frame")
        self.left -= 1
        return self.left
class Model:
    def __init__(self, filename):
        assert os.path.isfile(filename), filename
    def infer(self, inputs):
        return 17 if inputs == [int(os.environ["FAILS_AT"])] else [b""]
"""
SCRIPT = """
import sys, hilens
camera, model = hilens.VideoCapture(), hilens.Model("./model/net.om")
assert __name__ == "__main__" and sys.argv[0].endswith("main.py")
while True:
    try:
        frame = camera.read()
    except RuntimeError:
        break
    if isinstance(model.infer([frame]), int):
        continue
sys.exit(5)
"""
START = "import sys\nfrom npukit.hilens_script import run_on_board\n"
RUN = "sys.exit(run_on_board(__file__, 'main.py'))\n"


def run(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "net.om").write_bytes(b"")
    for name, text in (("hilens.py", HILENS), ("main.py", SCRIPT), ("start.py", START + RUN)):
        (folder / name).write_text(text)
    place = {"PYTHONPATH": str(Path(npukit.__file__).parents[1]), "FAILS_AT": "-1"}
    beat = {"NPUKIT_HEARTBEAT": str(folder / "beat.json")}
    return subprocess.run(
        [sys.executable, folder / "start.py"], cwd="/", capture_output=True, encoding="utf-8",
        env={**clean_environment(**place), **beat, **more}, check=False, timeout=60,
    )  # fmt: skip


def beat_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "beat.json").read_text())
    return found


def test_frames_are_counted_when_the_next_is_asked_for(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 5, done.stderr
    beat = beat_of(tmp_path)
    assert (beat["frames"], beat["model_loaded"], beat["last_error"]) == (3, True, None)


def test_a_frame_whose_inference_failed_does_not_count(tmp_path: Path) -> None:
    run(tmp_path, FAILS_AT="1")
    beat = beat_of(tmp_path)
    assert beat["frames"] == 2
    assert beat["last_error"] == "hilens.Model.infer returned 17"


def test_it_runs_without_a_heartbeat(tmp_path: Path) -> None:
    assert run(tmp_path, NPUKIT_HEARTBEAT="").returncode == 5


def test_another_camera_cannot_be_given(tmp_path: Path) -> None:
    done = run(tmp_path, NPUKIT_RUN='{"capture": "x"}')
    assert done.returncode == 1
    assert "names its own camera" in done.stderr


@pytest.mark.parametrize("name", ["model", "depends"])
def test_where_the_models_lie(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from npukit.hilens_script import prepare

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKILL_MODEL_PATH", "")  # so that what `prepare` sets ends with the test
    monkeypatch.delenv("SKILL_MODEL_PATH")
    (tmp_path / name).mkdir()
    prepare(str(tmp_path))
    assert os.environ["SKILL_MODEL_PATH"] == f"{tmp_path}/{name}/"
