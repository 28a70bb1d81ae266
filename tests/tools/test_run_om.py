"""`npukit run` with wrapped simulator builds where skills and scripts have their .om files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.interpreters import REPOSITORY
from support.om_files import tiny

from npukit.om import is_om, write_wrapped
from npukit.runtime.build import read_build
from npukit_convert.om_graph import om_graph

SKILL = REPOSITORY / "skills" / "portrait_matting"
BUILD = SKILL / "model" / "selfie_landscape.sim"
SCRIPT = """
import hilens

hilens.init("portraitmatting")
camera = hilens.VideoCapture()
model = hilens.Model(hilens.get_model_dir() + "net.om")
processor = hilens.Preprocessor()
display = hilens.Display(hilens.H264_FILE, "./out.h264")
for _ in range(2):
    frame = camera.read()
    (alpha,) = model.infer([processor.resize(frame, 256, 144, 0).flatten()])
    print("mean %.6f of %d" % (alpha.mean(), alpha.size))
    display.show(frame)
hilens.terminate()
"""
Command = Callable[..., Any]


def wrap_to(path: Path) -> None:
    build = read_build(str(BUILD))
    write_wrapped(str(path), build, om_graph(build.onnx), {"image": {"aipp_mode": 1}})
    assert is_om(str(path))


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    """The bundled skill with its .om file for the simulator too."""
    folder = tmp_path / "matting"
    skip = shutil.ignore_patterns("*.sim", "*.mp4", "__pycache__", "tests")
    shutil.copytree(SKILL, folder, ignore=skip)
    manifest = folder / "skill.yaml"
    text = manifest.read_text("utf-8").replace("selfie_landscape.sim", "selfie_landscape.om")
    manifest.write_text(text, "utf-8")
    return folder


@pytest.mark.usefixtures("here")
def test_a_skill_runs_with_its_om(npukit: Command, skill: Path) -> None:
    run = ("-c", "pattern:320x240,frames=2", "-d", "null", "--json")
    wrap_to(skill / "model" / "selfie_landscape.om")
    said = npukit("run", skill, *run)
    assert said.code == 0, said.err
    assert said.json["runs"][0]["frames_in"] == 2


@pytest.mark.usefixtures("here")
def test_a_boards_om_is_refused_in_words(npukit: Command, skill: Path) -> None:
    (skill / "model" / "selfie_landscape.om").write_bytes(tiny())
    said = npukit("run", skill, "-c", "pattern:320x240,frames=2", "-d", "null")
    assert said.code == 1
    assert "a board's offline model (platform 1.75.22.0.220)" in said.err
    assert "next: `npukit convert` makes a simulator build" in said.err


def test_a_hilens_script_runs_with_its_om(console: Command, here: Path) -> None:
    (here / "main.py").write_text(SCRIPT, "utf-8")
    (here / "model").mkdir()
    said = []
    for write in (wrap_to, lambda path: shutil.copy(BUILD, path)):
        write(here / "model" / "net.om")
        said.append(console("run", "main.py", "-c", "pattern:320x240,frames=2"))
        assert said[-1].code == 0, said[-1].err
    lines = [[line for line in item.out.splitlines() if "mean" in line] for item in said]
    assert len(lines[0]) == 2
    means = [[float(line.split()[1]) for line in both] for both in lines]
    np.testing.assert_allclose(*means, rtol=0, atol=1e-4)  # AIPP against float32
    assert "of 36864" in lines[0][0]
