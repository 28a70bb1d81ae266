"""What a bundle is made of, and what is not bundled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.bundles import TENSORS, members, write_skill
from support.om_files import tiny

import npukit
from npukit.errors import ConfigError, ModelError, NpukitError
from npukit.manifest import read_manifest
from npukit.om import write_wrapped
from npukit.profiles import Figure, load_board
from npukit.runtime.build import SimulatorBuild, pack_build, write_build
from npukit_cli.deploy import collecting
from npukit_cli.deploy import payload as payload_module
from npukit_cli.deploy.bundle import choose_board, make_bundle
from npukit_cli.deploy.collecting import runtime_files
from npukit_cli.deploy.onboard.bundle_files import unpack, verify
from npukit_cli.skills import bundled_root

KIT = "hilens_kit"


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    return write_skill(tmp_path / "skill")


def own_files(data: bytes) -> set[str]:
    """Names in a bundle, without the runtime."""
    return {name for name in members(data) if not name.startswith("npukit/")}


# --- content -------------------------------------------------------------------------------------


def test_what_is_in_a_bundle(skill: Path) -> None:
    made = make_bundle(skill, KIT)
    assert (made.name, made.version, made.file_name) == ("plain", "1.2.0", "plain-1.2.0.skill")
    assert made.sha256 == hashlib.sha256(made.data).hexdigest()
    assert not made.signed
    assert own_files(made.data) == {
        "bundle.json", "skill.json", "skill.py", "main.py", "model/net.om",
    }  # fmt: skip


def test_the_manifest_tells_of_every_file(skill: Path) -> None:
    made = make_bundle(skill, KIT)
    found = members(made.data)
    assert json.loads(found.pop("bundle.json")) == made.manifest
    assert made.manifest["files"] == {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in found.items()
    }
    assert made.manifest["models"] == {"net": "model/net.om"}
    assert {key: made.manifest[key] for key in ("board", "target", "runtime", "entry")} == {
        "board": KIT, "target": "ascend310", "runtime": "hilens", "entry": "main.py",
    }  # fmt: skip


def test_a_board_takes_what_was_made(skill: Path, tmp_path: Path) -> None:
    made = make_bundle(skill, KIT)
    path = tmp_path / made.file_name
    path.write_bytes(made.data)
    assert verify(str(path), "ascend310", expected_board=KIT, sha256=made.sha256) == {
        **made.manifest, "signed_by": None,
    }  # fmt: skip
    unpack(str(path), str(tmp_path / "new"), "ascend310")
    manifest = read_manifest(str(tmp_path / "new"))
    assert manifest.boards == (KIT,)
    assert manifest.models == {"net": {"ascend310": "model/net.om"}}
    assert manifest.capture == manifest.display == {KIT: "hilens"}
    assert manifest.tensors == read_manifest(str(skill)).tensors


def test_other_programs_can_list_it(skill: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.skill"
    path.write_bytes(make_bundle(skill, KIT).data)
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("no tar")
    done = subprocess.run([tar, "tzf", path], capture_output=True, check=True, encoding="utf-8")
    assert set(done.stdout.split()) == set(members(path.read_bytes()))
    assert done.stderr == ""


def test_the_runtime_is_the_whole_sdk_and_its_licence() -> None:
    root = Path(npukit.__file__).parent
    code = {
        f"npukit/{path.relative_to(root).as_posix()}" for path in root.rglob("*.py")
    }  # fmt: skip
    found = runtime_files()
    assert code <= found.keys()
    rest = found.keys() - code
    assert {"npukit/LICENSE", "npukit/NOTICE", "npukit/boards/hilens_kit.json"} <= rest
    assert {Path(name).suffix for name in rest} == {"", ".json", ".typed"}
    assert b"Apache License" in found["npukit/LICENSE"].data


def test_the_licence_of_an_installed_npukit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no repository around it, it comes from what pip installed."""
    here = runtime_files()
    monkeypatch.setattr(collecting, "__file__", "/nowhere/lib/python/npukit_cli/deploy/x.py")
    assert runtime_files() == here


def test_the_same_input_gives_the_same_bytes(skill: Path, tmp_path: Path) -> None:
    """Whatever the times, the owner's mask and the order on the disk are."""
    first = make_bundle(skill, KIT).data
    copy = tmp_path / "elsewhere" / "other_name"
    mask = os.umask(0o077)
    try:
        for path in sorted(skill.rglob("*"), reverse=True):
            if path.is_file():
                target = copy / path.relative_to(skill)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
                os.utime(target, (1, time.time() - 10_000))
    finally:
        os.umask(mask)
    assert make_bundle(copy, KIT).data == first


def test_a_change_changes_the_bytes(skill: Path) -> None:
    first = make_bundle(skill, KIT)
    (skill / "skill.py").chmod(0o755)
    second = make_bundle(skill, KIT)
    assert second.manifest["files"]["skill.py"]["executable"]
    assert first.sha256 != second.sha256


# --- which files ---------------------------------------------------------------------------------


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")


def test_only_what_a_board_needs(skill: Path) -> None:
    put(skill, ".git/config", ".env", "__pycache__/skill.pyc", "sub/__pycache__/x.pyc", "a.pyc")
    put(skill, "tests/test_skill.py", "model/net.py", "model/convert.yaml", "model/net.safetensors")
    put(skill, "accuracy.yaml", "performance.yaml", "npukit-out/report.html", "old-1.0.skill")
    put(skill, "README.md", "assets/x.png", "assets/LICENSE", "model/LICENSE.txt", "helper.py")
    assert own_files(make_bundle(skill, KIT).data) == {
        "bundle.json", "skill.json", "skill.py", "main.py", "model/net.om",
        "README.md", "assets/x.png", "assets/LICENSE", "model/LICENSE.txt", "helper.py",
    }  # fmt: skip


def test_only_the_models_of_the_target(tmp_path: Path) -> None:
    files = {"ascend310": "nets/a.om", "ascend310b": "nets/b.om", "simulator": "nets/c.sim"}
    skill = write_skill(tmp_path / "skill", models={"net": {**files, **TENSORS}})
    for name in files.values():
        put(skill, name)
    (skill / "nets" / "a.om").write_bytes(tiny())
    assert "nets/a.om" in own_files(make_bundle(skill, KIT).data)
    assert not {"nets/b.om", "nets/c.sim"} & own_files(make_bundle(skill, KIT).data)


def test_the_manifest_includes_and_excludes(tmp_path: Path) -> None:
    rules = {"include": ["model/labels.txt", "tests"], "exclude": ["assets/*.psd", "notes"]}
    skill = write_skill(tmp_path / "skill", bundle=rules)
    put(skill, "model/labels.txt", "tests/sub/x.py", "assets/a.psd", "assets/a.png", "notes/b/c")
    found = own_files(make_bundle(skill, KIT).data)
    assert {"model/labels.txt", "tests/sub/x.py", "assets/a.png"} <= found
    assert not {"assets/a.psd", "notes/b/c"} & found
    assert "bundle" not in json.loads(members(make_bundle(skill, KIT).data)["skill.json"])


def test_links_inside_are_followed(skill: Path) -> None:
    put(skill, "assets/real/x.txt")
    (skill / "assets" / "link.txt").symlink_to("real/x.txt")
    (skill / "more").symlink_to("assets/real")
    found = members(make_bundle(skill, KIT).data)
    assert found["assets/link.txt"] == found["more/x.txt"] == b"x = 1\n"


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_that_leaves_the_folder(skill: Path, tmp_path: Path, what: str) -> None:
    put(tmp_path, "secret/key")
    (skill / "link").symlink_to(tmp_path / "secret" / ("key" if what == "file" else ""))
    with pytest.raises(ConfigError, match="a link leaves the skill's folder"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize("target", [".", "sub", "../skill"])
def test_a_link_in_a_circle(skill: Path, target: str) -> None:
    put(skill, "sub/x")
    (skill / "sub" / "link").symlink_to(skill / target)
    with pytest.raises(ConfigError, match="leads back to its own folder"):
        make_bundle(skill, KIT)


def test_a_broken_link(skill: Path) -> None:
    (skill / "link").symlink_to("nothing")
    with pytest.raises(ConfigError, match="a broken link"):
        make_bundle(skill, KIT)


def test_a_fifo(skill: Path) -> None:
    os.mkfifo(skill / "pipe")
    with pytest.raises(ConfigError, match="neither a file nor a folder"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize("name", ["npukit/x.py", "npukit"])
def test_a_file_in_the_place_of_the_runtime(skill: Path, name: str) -> None:
    put(skill, name)
    with pytest.raises(ConfigError, match="has the runtime in npukit/"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize("name", ["a\nb.txt", "a\u202eb", "e\u0301.txt", "README.MD"])
def test_a_name_that_a_board_refuses(skill: Path, name: str) -> None:
    put(skill, "README.md", name)
    with pytest.raises(NpukitError, match="the file name"):
        make_bundle(skill, KIT)


# --- what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["main.py", "skill.py"])
def test_code_that_is_not_there(skill: Path, missing: str) -> None:
    (skill / missing).unlink()
    with pytest.raises(ConfigError, match=f"{missing} is not among the files"):
        make_bundle(skill, KIT)


def test_a_hidden_model(tmp_path: Path) -> None:
    skill = write_skill(tmp_path / "skill", models={"net": {"ascend310": ".net.om"}})
    (skill / ".net.om").write_bytes(tiny())
    with pytest.raises(ConfigError, match=r"\.net\.om is not among the files"):
        make_bundle(skill, KIT)


def test_a_model_that_is_not_there(skill: Path) -> None:
    (skill / "model" / "net.om").unlink()
    with pytest.raises(ConfigError, match="model 'net' for ascend310 is not there") as caught:
        make_bundle(skill, KIT)
    assert caught.value.where.endswith("model/net.om")
    assert "vendor's compiler" in caught.value.hint


def test_a_model_for_another_target_only(tmp_path: Path) -> None:
    skill = write_skill(tmp_path / "skill", models={"net": {"simulator": "net.sim"}})
    with pytest.raises(ConfigError, match="no file for target 'ascend310'"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize("file", ["../net.om", "model/../../net.om", "/tmp/net.om"])  # noqa: S108
def test_a_model_outside(tmp_path: Path, file: str) -> None:
    skill = write_skill(tmp_path / "skill", models={"net": {"ascend310": file}})
    with pytest.raises(ConfigError, match="not in the skill's folder"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize("write", [write_build, write_wrapped], ids=["bare", "wrapped"])
def test_a_simulator_build_of_a_model(skill: Path, write: Callable[..., None]) -> None:
    write(str(skill / "model" / "net.om"), SimulatorBuild("net", {}, (), b"onnx"))
    with pytest.raises(ConfigError, match="is a simulator build, which ascend310"):
        make_bundle(skill, KIT)


def test_a_board_s_model_for_the_simulator(skill: Path) -> None:
    (skill / "model" / "net.sim").write_bytes(tiny())
    with pytest.raises(ConfigError, match="simulator builds only"):
        make_bundle(skill, "simulator")
    (skill / "model" / "net.sim").write_bytes(pack_build(SimulatorBuild("net", {}, (), b"onnx")))
    assert make_bundle(skill, "simulator").manifest["target"] == "simulator"


@pytest.mark.parametrize(
    "data", [tiny()[:-200], b"version https://git-lfs", b""], ids=["cut", "lfs", "empty"]
)
def test_a_model_that_is_none(skill: Path, data: bytes) -> None:
    (skill / "model" / "net.om").write_bytes(data)
    with pytest.raises(ModelError):
        make_bundle(skill, KIT)


def test_a_board_that_the_skill_does_not_know(skill: Path) -> None:
    with pytest.raises(ConfigError, match="does not run on 'orangepi_aipro'"):
        make_bundle(skill, "orangepi_aipro")


@pytest.mark.parametrize("value", [None, "", "plain skill", "x" * 129])
def test_a_check_value_that_the_kit_refuses(tmp_path: Path, value: str | None) -> None:
    skill = write_skill(tmp_path / "skill", check_value=value)
    with pytest.raises(ConfigError, match="check_value"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize(("key", "value"), [("name", "../x"), ("version", "1/2"), ("name", "")])
def test_a_name_that_cannot_be_a_file_s(tmp_path: Path, key: str, value: str) -> None:
    skill = write_skill(tmp_path / "skill", **{key: value})
    with pytest.raises(NpukitError, match="cannot be a part of a file name"):
        make_bundle(skill, KIT)


@pytest.mark.parametrize(
    "code", ["if (n := 3): pass\n", "def f(x, /): pass\n", "match x:\n  case 1: 1\n", "(\n", "\0"]
)
def test_code_that_the_board_s_python_does_not_read(skill: Path, code: str) -> None:
    (skill / "helper.py").write_text("x = 1\n" + code)
    with pytest.raises(ConfigError, match=r"not Python 3\.7") as caught:
        make_bundle(skill, KIT)
    assert caught.value.where.startswith("helper.py")
    assert "==3.7.0" in caught.value.hint


def test_code_that_only_draws_a_warning(skill: Path) -> None:
    (skill / "helper.py").write_text("x = '\\d'\n")
    assert "helper.py" in own_files(make_bundle(skill, KIT).data)


# --- what it requires ----------------------------------------------------------------------------


def required(skill: Path) -> dict[str, Any]:
    found: dict[str, Any] = make_bundle(skill, KIT).manifest["requires"]
    return found


def test_requirements_by_default(skill: Path) -> None:
    # tiny() has 1536 bytes of weights, and says that it needs 4096 more.
    assert required(skill) == {"python": "3.7", "firmware": "", "memory": 1536 + 4096}


def test_requirements_of_the_manifest(tmp_path: Path) -> None:
    said = {"firmware": {KIT: "1.1.0"}, "memory": 2.5, "python": "3.7.0"}
    skill = write_skill(tmp_path / "skill", requires=said)
    assert required(skill) == {"python": "3.7.0", "firmware": "1.1.0", "memory": 2_621_440}
    skill = write_skill(tmp_path / "skill", requires={"firmware": "1.0.7"})
    assert required(skill)["firmware"] == "1.0.7"


@pytest.mark.parametrize(
    ("requires", "message"),
    [
        ({"python": "3.8"}, "requires Python 3.8, hilens_kit has ==3.7.0"),
        ({"memory": 9000}, "need 8.8 GiB, hilens_kit has 8"),
        ({"memory": 0}, "a number of MiB above 0"),
        ({"memory": True}, "a number of MiB above 0"),
        ({"memory": "1"}, "a number of MiB above 0"),
        ({"python": 3.1}, "3.1 is no version"),
        ({"firmware": {"hilens": "1"}}, "unknown key 'hilens'"),
        ({"firmware": {KIT: "new"}}, "'new' is no version"),
        ({"ram": 1}, "unknown key 'ram'"),
        ([1], "must be a mapping"),
    ],
)
def test_requirements_that_cannot_be_met(tmp_path: Path, requires: object, message: str) -> None:
    skill = write_skill(tmp_path / "skill", requires=requires)
    with pytest.raises(ConfigError) as caught:
        make_bundle(skill, KIT)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("needed", "specifier", "fits"),
    [
        ("3.9", ">=3.7,<3.10", True), ("3.10", ">=3.7,<3.10", False), ("3.7", "==3.7.0", True),
        ("3.11", ">=3.7,<3.11", False), ("3.8", ">=3.9", True), ("3.12", "<=3.11", False),
    ],
)  # fmt: skip
def test_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                 needed: str, specifier: str, fits: bool) -> None:  # fmt: skip
    board = dataclasses.replace(load_board(KIT), python=Figure(specifier, "", "a test"))
    monkeypatch.setattr(payload_module, "load_board", lambda _: board)
    skill = write_skill(tmp_path / "skill", requires={"python": needed})
    if fits:
        assert required(skill)["python"] == needed
    else:
        with pytest.raises(ConfigError, match="requires Python"):
            make_bundle(skill, KIT)


@pytest.mark.parametrize(
    ("rules", "message"),
    [({"only": []}, "unknown key 'only'"), ({"include": "x"}, "must be a list of patterns"),
     ({"exclude": [1]}, "must be a list of patterns")],
)  # fmt: skip
def test_wrong_rules_for_files(tmp_path: Path, rules: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_bundle(write_skill(tmp_path / "skill", bundle=rules), KIT)
    assert message in str(caught.value)


# --- which board ---------------------------------------------------------------------------------


def test_the_board_that_is_meant(tmp_path: Path) -> None:
    skill = write_skill(tmp_path / "skill")
    assert choose_board(skill, "ascend310", None) == KIT
    assert choose_board(skill, None, "anything") == "anything"
    assert choose_board(skill, "simulator", "simulator") == "simulator"
    for target, board, message in (
        (None, None, "for which board?"),
        ("ascend310b", None, "runs on no board of target"),
        ("ascend310b", KIT, "has target ascend310, not ascend310b"),
        ("ascend31", None, "unknown target"),
        ("simulator", "hilens_kid", "unknown board"),
    ):
        with pytest.raises(ConfigError, match=message):
            choose_board(skill, target, board)
    two = [KIT, "atlas_200dk"]
    skill = write_skill(tmp_path / "two", boards=two, capture="x", display="y")
    with pytest.raises(ConfigError, match="several boards of target ascend310"):
        choose_board(skill, "ascend310", None)


# --- the skill that comes with npukit ------------------------------------------------------------


def test_portrait_matting_for_the_kit(tmp_path: Path) -> None:
    """With a stand-in for the offline models, which only the vendor's compiler makes."""
    skill = tmp_path / "portrait_matting"
    shutil.copytree(bundled_root() / "portrait_matting", skill)
    for name in ("landscape", "square"):
        (skill / "model" / f"selfie_{name}.om").write_bytes(tiny())
    made = SimpleNamespace(names=own_files(make_bundle(skill, KIT).data))
    assert {"assets/background.jpg", "model/README.md", "model/selfie_square.om"} <= made.names
    assert not [name for name in made.names if name.endswith((".sim", ".safetensors", ".yaml"))]
    assert "assets/demo_alpha.mp4" not in made.names
