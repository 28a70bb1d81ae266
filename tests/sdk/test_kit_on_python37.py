"""A skill on the HiLens Kit's software: npukit's API on top, the `hilens` module's below.

In a process of its own on the Kit's Python, numpy and OpenCV. The drop-in module stands in for the
vendor's, and ONNX Runtime behind it for the NPU; what that leaves open is in docs/verified.md.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import yaml
from support.drop_in import INJECT
from support.interpreters import REPOSITORY, cached_venv, clean_environment, find_python

from npukit.session import Session
from npukit.skill import load_skill

# The Kit's Python and OpenCV, the last numpy for them, the last ONNX Runtime with their wheels.
WHEELS = ("numpy==1.21.6", "opencv-python==3.4.2.17", "onnxruntime==1.14.1")
SKILL = REPOSITORY / "skills" / "portrait_matting"
SETTINGS = {"mirror": True, "view": "side_by_side"}
SIZE = (640, 360)
STEP, COUNT = 10, 12


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of the demo clip, without loss, so that both sides begin with the same bytes."""
    folder = tmp_path_factory.mktemp("frames")
    with av.open(str(SKILL / "assets" / "demo.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % STEP == 0:
                picture = cv2.resize(frame.to_ndarray(format="bgr24"), SIZE)
                cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def on_the_simulator(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """What the skill gives on the host, on the simulated board."""
    folder = tmp_path_factory.mktemp("simulator")
    with Session(load_skill(str(SKILL), SETTINGS)) as session:
        report = session.run(str(frames), [f"{folder}/"])
    assert report.error is None
    shown = pictures(folder)
    assert all(cv2.absdiff(*np.hsplit(picture, 2)).mean() > 20 for picture in shown), "nothing cut"
    return shown


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The skill as a Kit would get it; where it says .om lie simulator builds."""
    folder = tmp_path / "skill"
    shutil.copytree(SKILL, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sim"))
    manifest: dict[str, Any] = yaml.safe_load((folder / "skill.yaml").read_text("utf-8"))
    (folder / "skill.yaml").unlink()
    # A file, so that nothing is dropped: on the Kit the camera and HDMI are live.
    manifest["capture"]["hilens_kit"] = "hilens:test/camera0.mp4"
    manifest["display"]["hilens_kit"] = "hilens:out.h264"
    for name, value in SETTINGS.items():
        manifest["parameters"][name]["default"] = value
    (folder / "skill.json").write_text(json.dumps(manifest), "utf-8")
    for files in manifest["models"].values():
        shutil.copy(SKILL / files["simulator"], folder / files["ascend310"])
    return folder


def pictures(folder: Path) -> list[np.ndarray]:
    found = [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"))]
    assert all(picture is not None for picture in found)
    return found


def run_on_kit(python: Path, bundle: Path, frames: Path) -> tuple[list[np.ndarray], str]:
    shown = bundle.parent / "shown"
    settings = {
        "camera": str(frames),
        "display": f"images:{shown}",
        "check_value": "portraitmatting",
    }
    below = (REPOSITORY / "sdk", REPOSITORY / "tools", INJECT)
    done = subprocess.run(
        [python, "-B", "-W", "error", "main.py"],
        cwd=bundle,
        env=clean_environment(
            NPUKIT_BOARD="hilens_kit",
            NPUKIT_HILENS=json.dumps(settings),
            PYTHONPATH=":".join(map(str, below)),
        ),
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return pictures(shown), done.stdout


def compare(found: list[np.ndarray], expected: list[np.ndarray], largest: int, mean: float) -> None:
    assert len(found) == len(expected) == COUNT
    for index, (picture, wanted) in enumerate(zip(found, expected, strict=True)):
        assert picture.shape == wanted.shape == (SIZE[1], 2 * SIZE[0], 3)
        apart = cv2.absdiff(picture, wanted)
        assert apart.max() <= largest, index
        assert apart.mean() <= mean, index
        # In order: every other frame differs by much more.
        for other in expected[:index] + expected[index + 1 :]:
            assert cv2.absdiff(picture, other).mean() > 3


def test_on_the_kits_python_and_opencv(
    bundle: Path, frames: Path, on_the_simulator: list[np.ndarray]
) -> None:
    interpreter = find_python("3.7")
    if interpreter is None:
        pytest.skip(
            "NOT CHECKED: a skill on the Kit's software. No Python 3.7 starts here (looked at "
            "PATH, $PYENV_ROOT and ~/.pyenv); `pyenv install 3.7` brings one"
        )
    found, said = run_on_kit(cached_venv(interpreter, *WHEELS), bundle, frames)
    assert f"{COUNT} pictures in" in said
    # Measured: 9 of 12 pictures are equal, the others differ in a few pixels by 3 levels or less.
    # OpenCV 3.4 and 4 round differently here and there, and so do the two ONNX Runtimes.
    compare(found, on_the_simulator, largest=8, mean=0.001)


def test_on_the_hosts_python(
    bundle: Path, frames: Path, on_the_simulator: list[np.ndarray]
) -> None:
    found, said = run_on_kit(Path(sys.executable), bundle, frames)
    assert f"{COUNT} pictures in" in said
    compare(found, on_the_simulator, largest=0, mean=0)
