"""`npukit new`: what comes out runs, converts and passes its own tests at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.interpreters import clean_environment

from npukit.errors import ConfigError
from npukit.manifest import read_manifest
from npukit.runtime.build import read_build
from npukit_cli.scaffolding import scaffold, styles

Command = Callable[..., Any]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("style", styles())
def test_a_new_skill_passes_its_own_tests_and_converts(tmp_path: Path, style: str) -> None:
    made = scaffold("cat_cutter", style, tmp_path)
    assert made == tmp_path / "cat_cutter"
    left = [
        path for path in made.rglob("*")
        if path.suffix in (".py", ".yaml", ".md")
        and any(word in path.read_text("utf-8") for word in ("my_skill", "MySkill", "myskill"))
    ]  # fmt: skip
    assert left == [], "the template's name is still there"
    build = made / f"model/network.{'om' if style == 'hilens' else 'sim'}"
    before = read_build(str(build))
    converted = run(made, "model/build.py")
    assert converted.returncode == 0, converted.stderr
    after = read_build(str(build))
    assert (after.onnx, after.inputs, after.outputs) == (before.onnx, before.inputs, before.outputs)
    tested = run(made, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("style", styles())
def test_a_network_that_does_not_fit_is_refused_in_words(tmp_path: Path, style: str) -> None:
    made = scaffold("cat_cutter", style, tmp_path)
    config = made / "model/convert.yaml"
    config.write_text(config.read_text("utf-8").replace("144, 256]", "256, 256]"), "utf-8")
    refused = run(made, "model/build.py")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "takes 'image' of shape [1, 3, 144, 256], the config says [1, 3, 256, 256]" in (
        refused.stderr
    )


def test_a_native_skill_carries_its_name(tmp_path: Path) -> None:
    manifest = read_manifest(str(scaffold("cat_cutter", "native", tmp_path)))
    assert (manifest.name, manifest.entry) == ("cat_cutter", "skill.py:CatCutter")


def test_the_next_steps_are_told(npukit: Command, tmp_path: Path) -> None:
    said = npukit("new", "dog", "--in", str(tmp_path))
    assert said.code == 0
    assert f"cd {tmp_path / 'dog'}" in said.out
    again = npukit("new", "dog", "--in", str(tmp_path), "--json")
    assert again.code == 1
    assert again.json["error"]["message"] == "the folder exists already: nothing is overwritten"
    assert "--in FOLDER" in again.json["error"]["next"]


@pytest.mark.parametrize("name", ["1st", "class", "my-skill", "a b", "", "../x", "größe"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a skill"):
        scaffold(name, "native", tmp_path / "here")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_style_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hilens") as caught:
        scaffold("cat", "hilen", tmp_path)
    assert "did you mean 'hilens'?" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("npukit_cli.scaffolding._add_clip", full)
    with pytest.raises(ConfigError, match="No space left"):
        scaffold("cat", "native", tmp_path)
    assert list(tmp_path.iterdir()) == []
