"""The page on AIPP: its blocks run, and its files are what its declarations give."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from npukit.aipp import lower, parse, to_text
from npukit.preprocess import Preprocess

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs/topics/aipp.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [body for name, body in fences if name == language]


def test_the_two_files_are_what_the_two_declarations_give() -> None:
    declared = [Preprocess.from_dict(yaml.safe_load(text)["preprocess"]) for text in blocks("yaml")]
    assert [spec.source for spec in declared] == ["rgb888", "nv21"]
    assert [to_text(lower(spec)) for spec in declared] == blocks("")
    assert [lower(spec) for spec in declared] == [parse(text) for text in blocks("")]


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_picture_is_on_the_page_and_there() -> None:
    named = re.findall(r"images/(aipp_\w+\.jpg)", PAGE)
    assert sorted(named) == sorted(path.name for path in REPOSITORY.glob("docs/images/aipp_*"))
