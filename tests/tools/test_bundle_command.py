"""`npukit bundle`, and `npukit inspect` of what it makes."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.bundles import members, write_skill

from npukit.om import write_wrapped
from npukit.runtime.build import SimulatorBuild

Command = Callable[..., Any]
needs_keys = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="NOT CHECKED: signatures. ssh-keygen is not here"
)


@pytest.fixture
def skill(here: Path) -> Path:
    return write_skill(here / "mine")


def test_a_bundle_lies_here(npukit: Command, skill: Path, here: Path) -> None:
    said = npukit("bundle", "mine", "--board", "hilens_kit")
    data = (here / "plain-1.2.0.skill").read_bytes()
    assert said.code == 0
    assert said.out.splitlines() == [
        "plain-1.2.0.skill: bundle, plain 1.2.0 for hilens_kit",
        f"  {len(data):,} bytes, {len(members(data)) - 1} files",
        f"  sha256 {hashlib.sha256(data).hexdigest()}",
        "  not signed",
    ]


def test_as_json(npukit: Command, skill: Path, here: Path) -> None:
    said = npukit("bundle", "mine", "--target", "ascend310", "-o", "out/", "--json").json
    data = (here / "out" / "plain-1.2.0.skill").read_bytes()
    assert said == {
        "file": "out/plain-1.2.0.skill", "kind": "bundle", "name": "plain", "version": "1.2.0",
        "board": "hilens_kit", "target": "ascend310", "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(), "files": len(members(data)) - 1,
        "memory": 5632, "signed_by": None,
    }  # fmt: skip


def test_from_its_own_folder_twice(
    npukit: Command, skill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first bundle, lying in the skill, is not in the second."""
    monkeypatch.chdir(skill)
    first = npukit("bundle", ".", "--board", "hilens_kit", "--json").json
    assert npukit("bundle", ".", "--board", "hilens_kit", "--json").json == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "for which board?"),
        (("--board", "simulator"), "model 'net' for simulator is not there"),
        (("--board", "hilens"), "the skill does not run on 'hilens'"),
        (("--target", "ascend310b"), "no board of target ascend310b"),
        (("--board", "hilens_kit", "--sign", "nokey"), "there is no such key"),
        (("--board", "hilens_kit", "-o", "mine/skill.py/x.skill"), "cannot be written"),
        (("--hilens-export", "--sign", "key"), "takes no signature"),
        (("--hilens-export", "-o", "x.skill"), "takes .zip and .tar.gz"),
        (("--hilens-export", "--board", "simulator"), "model 'net' for simulator"),
    ],
)
def test_what_goes_wrong(
    npukit: Command, skill: Path, here: Path, arguments: tuple[str, ...], message: str
) -> None:
    (here / "plain-1.2.0.skill").write_text("older")
    said = npukit("bundle", "mine", *arguments)
    assert said.code == 1
    assert message in said.err
    assert sorted(path.name for path in here.iterdir()) == ["mine", "plain-1.2.0.skill"]
    assert (here / "plain-1.2.0.skill").read_text() == "older"


def test_a_simulator_build_where_the_offline_model_should_be(npukit: Command, skill: Path) -> None:
    write_wrapped(str(skill / "model" / "net.om"), SimulatorBuild("net", {}, (), b"onnx"))
    said = npukit("bundle", "mine", "--board", "hilens_kit")
    assert said.code == 1
    assert "is a simulator build, which ascend310 cannot execute" in said.err


def test_for_the_console(npukit: Command, skill: Path, here: Path) -> None:
    said = npukit("bundle", "mine", "--hilens-export")
    assert said.out.startswith(
        "plain-1.2.0.zip: archive for the HiLens console, plain 1.2.0 for hilens_kit\n"
    )
    assert "signed" not in said.out
    with zipfile.ZipFile(here / "plain-1.2.0.zip") as archive:
        assert "depends/net.om" in archive.namelist()
    npukit("bundle", "mine", "--hilens-export", "--target", "ascend310", "-o", "x.tar.gz")
    with tarfile.open(fileobj=io.BytesIO((here / "x.tar.gz").read_bytes())) as tar:
        assert "depends/net.om" in tar.getnames()


# --- npukit inspect ------------------------------------------------------------------------------


def test_inspecting_a_bundle(npukit: Command, skill: Path, here: Path) -> None:
    npukit("bundle", "mine", "--board", "hilens_kit")
    (here / "plain-1.2.0.skill").rename(here / "any_name")
    said = npukit("inspect", "any_name", "--json").json
    assert (said["kind"], said["name"], said["version"]) == ("skill bundle", "plain", "1.2.0")
    assert said["target"] == "ascend310 (hilens_kit)"
    assert said["facts"]["signature"] == "none"
    assert said["facts"]["requires"] == {"python": "3.7", "memory": 5632}
    assert said["parts"]["model/net.om"]["kind"] == "offline model"
    words = npukit("inspect", "any_name")
    assert words.code == 0
    assert "skill bundle" in words.out
    assert "model/net.om" in words.out


@needs_keys
def test_inspecting_a_signed_bundle(npukit: Command, skill: Path, here: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", here / "key"], check=True)
    made = npukit("bundle", "mine", "--board", "hilens_kit", "--sign", "key", "--json").json
    assert made["signed_by"].startswith("SHA256:")
    said = npukit("inspect", "plain-1.2.0.skill", "--json").json
    assert f"by ED25519 key {made['signed_by']};" in said["facts"]["signature"]


@pytest.mark.parametrize("length", [0, 3, 200, -1])
def test_inspecting_a_damaged_bundle(npukit: Command, skill: Path, here: Path, length: int) -> None:
    npukit("bundle", "mine", "--board", "hilens_kit")
    path = here / "plain-1.2.0.skill"
    path.write_bytes(path.read_bytes()[:length])
    said = npukit("inspect", path.name)
    assert said.code == 1
    assert "cut short" in said.err


def test_inspecting_another_archive(npukit: Command, here: Path) -> None:
    with tarfile.open(here / "x.tar.gz", "w:gz") as archive:
        archive.add(__file__, "x.py")
    said = npukit("inspect", "x.tar.gz")
    assert said.code == 1
    assert "compressed with gzip" in said.err
