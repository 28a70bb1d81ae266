"""Archives for the console of HiLens."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.bundles import write_skill
from support.om_files import tiny

from npukit.errors import ConfigError
from npukit.manifest import read_manifest
from npukit_cli.deploy.export_hilens import FORMATS, export


def unpacked(data: bytes, form: str, folder: Path) -> Path:
    if form == ".zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)  # noqa: S202 - made by this test
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_the_layout(tmp_path: Path, form: str) -> None:
    skill = write_skill(tmp_path / "skill")
    made = unpacked(export(skill, "hilens_kit", form), form, tmp_path / "new")
    top = {path.name for path in made.iterdir()}
    assert top == {"main.py", "skill.py", "skill.json", "npukit", "depends", "workspace"}
    assert (made / "workspace" / "data").is_dir()
    assert [path.name for path in (made / "depends").iterdir()] == ["net.om"]
    assert (made / "depends" / "net.om").read_bytes() == tiny()
    manifest = read_manifest(str(made))
    assert manifest.models == {"net": {"ascend310": "depends/net.om"}}
    assert manifest.check_value == "plain"
    assert (made / "npukit" / "session.py").is_file()


@pytest.mark.parametrize("form", FORMATS)
def test_equal_input_gives_equal_bytes(tmp_path: Path, form: str) -> None:
    one, other = write_skill(tmp_path / "one"), write_skill(tmp_path / "other")
    (one / "skill.py").touch()
    assert export(one, "hilens_kit", form) == export(other, "hilens_kit", form)


def test_programs_stay_programs(tmp_path: Path) -> None:
    skill = write_skill(tmp_path / "skill")
    (skill / "run.sh").write_text("#!/bin/sh\n")
    (skill / "run.sh").chmod(0o755)
    with zipfile.ZipFile(io.BytesIO(export(skill, "hilens_kit", ".zip"))) as archive:
        assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755
        assert archive.getinfo("main.py").external_attr >> 16 == 0o100644
    with tarfile.open(fileobj=io.BytesIO(export(skill, "hilens_kit", ".tar.gz"))) as tar:
        assert tar.getmember("run.sh").mode == 0o755


def test_models_in_folders_keep_them(tmp_path: Path) -> None:
    models = {"a": {"ascend310": "model/a/net.om"}, "b": {"ascend310": "nets/net.om"}}
    skill = write_skill(tmp_path / "skill", models=models)
    for name in ("model/a", "nets"):
        (skill / name).mkdir()
        (skill / name / "net.om").write_bytes(tiny())
    with zipfile.ZipFile(io.BytesIO(export(skill, "hilens_kit"))) as archive:
        assert {"depends/a/net.om", "depends/nets/net.om"} <= set(archive.namelist())
        assert "nets/net.om" not in archive.namelist()
        said = json.loads(archive.read("skill.json"))["models"]
    assert said == {
        "a": {"ascend310": "depends/a/net.om"},
        "b": {"ascend310": "depends/nets/net.om"},
    }


@pytest.mark.parametrize("name", ["workspace/x", "depends/net.om"])
def test_files_in_the_platform_s_folders(tmp_path: Path, name: str) -> None:
    skill = write_skill(tmp_path / "skill")
    (skill / name).parent.mkdir()
    (skill / name).write_text("x")
    with pytest.raises(ConfigError, match="collide with depends, workspace"):
        export(skill, "hilens_kit")


def test_for_the_kit_alone(tmp_path: Path) -> None:
    skill = write_skill(tmp_path / "skill", boards=["atlas_200dk"], capture="x", display="y")
    with pytest.raises(ConfigError, match="is for HiLens Kits, not for atlas_200dk"):
        export(skill, "atlas_200dk")
