"""Which models go to which board."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.bundles import write_skill
from support.om_files import tiny

from npukit.errors import ConfigError
from npukit_cli.deploy import checking, packing
from npukit_cli.deploy import payload as payload_module
from npukit_cli.deploy.bundle import make_bundle
from npukit_cli.deploy.choosing import Choice, Wish, choose
from npukit_cli.deploy.export_hilens import export
from npukit_cli.deploy.packing import cargo
from npukit_cli.deploy.problems import BoardSkipped, DeployError

MIB = 1 << 20
# What each model is said to need.
SIZES = {"model/large.om": 900 * MIB, "model/small.om": 100 * MIB, "model/always.om": 50 * MIB}


@pytest.fixture
def skill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A skill whose parameter `size` selects one of two models, beside one that always runs."""
    folder = write_skill(
        tmp_path / "sized",
        models={name: {"ascend310": f"model/{name}.om"} for name in ("large", "small", "always")},
        parameters={
            "size": {
                "type": "choice", "choices": ["big", "little"], "default": "big", "help": "x",
                "selects": {"big": "large", "little": "small"},
            },
            "mirror": {"type": "bool", "default": False, "help": "x"},
        },
        boards=["hilens_kit"], capture="hilens", display="hilens",
    )  # fmt: skip
    net = (folder / "model" / "net.om").read_bytes()
    (folder / "model" / "net.om").unlink()
    for name in SIZES:
        (folder / name).write_bytes(net)

    def said(file: str, data: bytes, target: str) -> int:
        checking.check_model(file, data, target)
        return SIZES[Path(file).relative_to(folder).as_posix()]

    monkeypatch.setattr(payload_module, "check_model", said)
    return folder


def on_board(skill: Path, memory: int, **parameters: Any) -> Choice:
    facts = {"board": "hilens_kit", "python": "3.7.0", "memory": memory * MIB}
    return choose(Wish(skill, parameters), facts, cargo(skill))


def models(choice: Choice) -> set[str]:
    return {name for name in choice.packed.bundle.manifest["files"] if name.endswith(".om")}


def test_only_the_models_that_run_travel(skill: Path) -> None:
    choice = on_board(skill, 4096, mirror="true")
    assert models(choice) == {"model/large.om", "model/always.om"}
    assert choice.packed.bundle.manifest["requires"]["memory"] == 950 * MIB
    assert choice.parameters == {"mirror": True}
    assert choice.notice == ""


def test_a_board_with_little_memory_gets_the_small_model(skill: Path) -> None:
    choice = on_board(skill, 512)
    assert models(choice) == {"model/small.om", "model/always.om"}
    assert choice.parameters == {"size": "little"}
    assert "size=little" in choice.notice
    assert "1078 MB of memory, the board has 512 MB" in choice.notice


def test_what_was_asked_for_is_not_changed(skill: Path) -> None:
    with pytest.raises(BoardSkipped, match="1078 MB of memory, the board has 512 MB"):
        on_board(skill, 512, size="big")


def test_a_board_that_no_model_fits_is_skipped_with_the_first_reason(skill: Path) -> None:
    with pytest.raises(BoardSkipped, match="1078 MB of memory, the board has 128 MB"):
        on_board(skill, 128)


def test_a_model_that_is_not_compiled_is_passed_over(skill: Path) -> None:
    (skill / "model" / "large.om").unlink()
    choice = on_board(skill, 4096)
    assert choice.parameters == {"size": "little"}
    assert "large" in choice.notice
    with pytest.raises(BoardSkipped, match="model 'large' for ascend310 is not there"):
        on_board(skill, 4096, size="big")
    with pytest.raises(ConfigError, match="model 'large' for ascend310 is not there"):
        make_bundle(skill, "hilens_kit")  # a bundle may be run with any setting


def test_a_bundle_needs_the_memory_of_its_largest_way_to_run(skill: Path) -> None:
    assert make_bundle(skill, "hilens_kit").manifest["requires"]["memory"] == 950 * MIB


def test_boards_of_a_kind_share_one_bundle(skill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def counted(*arguments: Any) -> object:
        made.append(arguments)
        return make_bundle(*arguments)

    monkeypatch.setattr(packing, "make_bundle", counted)
    facts = {"board": "hilens_kit", "python": "3.7.0", "memory": 4096 * MIB}
    shared = cargo(skill)
    for mirror in (True, False):
        choose(Wish(skill, {"mirror": mirror}), facts, shared)
    assert len(made) == 1
    choose(Wish(skill, {"size": "little"}), facts, shared)
    assert len(made) == 2


def test_the_parameters_of_a_bundle_are_checked_before_anything_is_sent(
    skill: Path, tmp_path: Path
) -> None:
    made = make_bundle(skill, "hilens_kit")
    path = tmp_path / made.file_name
    path.write_bytes(made.data)
    loaded = cargo(path)
    with pytest.raises(ConfigError, match="unknown key 'siz'"):
        next(loaded.ways({"siz": "big"}))
    (settings,) = loaded.ways({"size": "little"})
    assert settings == {"size": "little", "mirror": False}
    assert loaded.packed("hilens_kit", settings).bundle.data == made.data
    with pytest.raises(ConfigError, match="is for hilens_kit"):
        loaded.packed("atlas_200dk", settings)
    path.write_bytes(made.data[:-40])
    with pytest.raises(DeployError, match="cut short"):
        cargo(path)


SCRIPT = "import hilens\nhilens.init('x')\n"


def script(folder: Path, model: bytes) -> Path:
    (folder / "model").mkdir(parents=True)
    (folder / "main.py").write_text(SCRIPT)
    (folder / "model" / "net.om").write_bytes(model)
    (folder / "model" / "net.onnx").write_bytes(b"x")
    (folder / "data").mkdir()
    (folder / "data" / "labels.txt").write_text("cat\n")
    return folder


def test_a_hilens_script_is_bundled_as_it_lies(tmp_path: Path) -> None:
    folder = script(tmp_path / "my_script", tiny())
    manifest = make_bundle(folder, "hilens_kit").manifest
    own = {name for name in manifest["files"] if not name.startswith("npukit/")}
    assert own == {"main.py", "npukit_start.py", "model/net.om", "data/labels.txt"}
    assert (manifest["name"], manifest["entry"]) == ("my_script", "npukit_start.py")
    path = tmp_path / "x.skill"
    path.write_bytes(make_bundle(folder, "hilens_kit").data)
    loaded = cargo(path)
    with pytest.raises(ConfigError, match="no parameters"):
        next(loaded.ways({"a": 1}))
    with pytest.raises(ConfigError, match="with its folder"):
        cargo(folder / "main.py")
    with zipfile.ZipFile(io.BytesIO(export(folder, "hilens_kit"))) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert names == {"main.py", "model/net.om", "data/labels.txt"}  # npukit is not in it


def test_the_model_of_a_script_decides_which_board_it_is_for(tmp_path: Path) -> None:
    build = Path(payload_module.__file__).parents[3] / "skills" / "portrait_matting" / "model"
    folder = script(tmp_path / "simulated", (build / "selfie_square.sim").read_bytes())
    assert make_bundle(folder, "simulator").manifest["target"] == "simulator"
    with pytest.raises(ConfigError, match="simulator build, which ascend310 cannot execute"):
        make_bundle(folder, "hilens_kit")


def test_a_folder_that_is_neither_says_so(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('import hilens')\n")
    with pytest.raises(ConfigError, match=r"no skill\.yaml"):
        make_bundle(tmp_path, "hilens_kit")
