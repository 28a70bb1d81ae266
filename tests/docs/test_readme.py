"""The shell and Python blocks of README and the guides run as they stand.

A line of a shell block is left out only when `NOT_HERE` names it, with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.om_files import tiny

from npukit_cli.scaffolding import scaffold

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/tutorial/first-run.md",
    "docs/tutorial/own-skill.md",
    "docs/howto/own-video.md",
    "docs/howto/compare-models.md",
    "docs/topics/offline-model.md",
    "docs/howto/bring-your-own-model.md",
    "docs/howto/lint-and-estimate.md",
    "docs/howto/bundle.md",
    "docs/howto/quantize.md",
)
NOT_HERE = {
    "npukit inspect portrait_matting-0.1.0.skill": "made by the line before, elsewhere; see "
    "tests/tools/test_bundle_command.py",
    "npukit new cat_cutter": "the folder is there already for the lines after it; see test_new.py",
    "make demo": "sets up the environment that this test runs in",
    "make test": "runs this test",
    "pip install .": "tests/tools/test_packaging.py installs the wheel in a clean environment",
    "python3 -m venv .venv && . .venv/bin/activate": "an environment is active here",
}
# What a page shows as an example of a mistake, and of a model that is refused.
MISTAKE = "npukit run portrait_matting --set crop=squar"
REFUSED = (
    "npukit convert skills/portrait_matting/model/convert.yaml --precision int8 "
    "--calibration.frames clip.mp4 --out quantized"
)
FAILS = {MISTAKE: 1, REFUSED: 1}


def blocks(page: str, language: str) -> list[str]:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [body for name, body in fences if name == language]


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, "sh"):
            lines = [line.split("  #")[0].strip() for line in block.splitlines()]
            found += [(page, line) for line in lines if line and line not in NOT_HERE]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the pages assume it: with clips, pictures and the skills."""
    short = REPOSITORY / "skills/portrait_matting/assets/demo.mp4"
    for name in ("clip.mp4", "a.mp4", "b.mp4"):
        shutil.copy(short, tmp_path / name)
    shutil.copy(short.parent / "demo_alpha.mp4", tmp_path / "a_alpha.mp4")
    (tmp_path / "model.om").write_bytes(tiny())
    (tmp_path / "photos").mkdir()
    shutil.copy(short.parent / "background.jpg", tmp_path / "photos")
    (tmp_path / "skills").symlink_to(REPOSITORY / "skills")
    # The tutorial's lines build on one another; `npukit new` itself gets an empty place.
    scaffold("cat_cutter", "native", tmp_path)
    return tmp_path


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    return subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("page", "command"), commands())
def test_shell_line_runs(page: str, command: str, folder: Path) -> None:
    done = run(shlex.split(command), folder)
    assert done.returncode == FAILS.get(command, 0), f"{page}: {command}\n{done.stderr}"


def test_every_exception_is_still_on_a_page() -> None:
    everything = "\n".join(block for page in PAGES for block in blocks(page, "sh"))
    for line in (*NOT_HERE, *FAILS):
        assert line in everything, f"{line!r} stands on no page any more"


def test_the_mistake_in_the_tutorial_prints_what_the_tutorial_shows(folder: Path) -> None:
    shown = [block for block in blocks("docs/tutorial/first-run.md", "") if "error:" in block]
    assert run(shlex.split(MISTAKE), folder).stderr.strip() == shown[0].strip()


@pytest.mark.parametrize("code", blocks("README.md", "python"))
def test_python_block_runs(code: str, folder: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", code], folder)
    assert done.returncode == 0, done.stderr
    assert "120 frames" in done.stdout


@pytest.mark.parametrize("code", blocks("docs/topics/offline-model.md", "python"))
def test_a_build_is_wrapped_as_the_page_says(code: str, folder: Path) -> None:
    done = run([sys.executable, "-W", "error", "-c", code], folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "model/net.om").read_bytes().startswith(b"IMOD")


def test_links_between_pages_lead_somewhere() -> None:
    for page in [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_reference_is_up_to_date() -> None:
    done = run([sys.executable, str(REPOSITORY / "docs/generate.py"), "--check"], REPOSITORY)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: run make docs"


def test_design_pages_name_tests_that_exist() -> None:
    text = (REPOSITORY / "docs/verified.md").read_text(encoding="utf-8")
    for name in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (REPOSITORY / name).exists(), name
