"""What is built is what is meant, and it works where nothing else of npukit is."""

from __future__ import annotations

import email
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
from support.interpreters import REPOSITORY, clean_environment

import npukit
from npukit_cli.deploy.bundle import make_bundle

pytestmark = pytest.mark.slow

PACKAGES = ("npukit", "npukit_cli", "npukit_convert")
# Folders of the repository, and where what is in them lies once installed.
ROOTS = {
    "sdk": "",
    "converters": "",
    "tools": "",
    "skills": "npukit_cli/_skills/",
    "aipp_configs": "npukit/aipp/_presets/",
}
NEEDED = (
    "npukit/boards/hilens_kit.json",
    "npukit/targets/ascend310.json",
    "npukit/operators/ascend310_onnx_cann5.json",
    "npukit_convert/published.json",
    "npukit/py.typed",
    "npukit/aipp/_presets/nv21_to_rgb_bt601_narrow_0_1.cfg",
    "npukit_cli/_skills/portrait_matting/skill.yaml",
    "npukit_cli/_skills/portrait_matting/assets/demo.mp4",
    "npukit_cli/_skills/portrait_matting/model/selfie_landscape.sim",
)


def call(*command: object, cwd: Path) -> str:
    """What a command prints, both streams; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean_environment(PYTHONDONTWRITEBYTECODE="", PIP_DISABLE_PIP_VERSION_CHECK="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(source: Path, *options: str) -> tuple[Path, str]:
    """A wheel and what was said while it was built."""
    folder = source.parent / "_".join(("dist", *options))
    said = call(
        sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", folder, source,
        cwd=source.parent,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel, said


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a commit of this working tree would hold."""
    listed = call(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY
    )
    folder = tmp_path_factory.mktemp("build") / "source"
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():  # else deleted, but not yet in git
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(source: Path) -> SimpleNamespace:
    """The wheel by way of the source distribution, and the one built in place."""
    before = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    wheel, said = build(source)
    direct, also_said = build(source, "--wheel")
    (archive,) = wheel.parent.glob("*.tar.gz")
    return SimpleNamespace(
        files=before, wheel=wheel, direct=direct, archive=archive, said=said + also_said
    )


@pytest.fixture(scope="module")
def python(built: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("venv")
    call(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", built.wheel, cwd=folder)
    return python


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_the_build_warns_of_nothing(built: SimpleNamespace) -> None:
    warnings = [line for line in built.said.splitlines() if "warning" in line.lower()]
    assert warnings == []


def test_the_wheel_holds_the_packages_and_the_skills_and_no_more(built: SimpleNamespace) -> None:
    expected = {
        place + name.removeprefix(f"{root}/")
        for name in built.files
        for root, place in ROOTS.items()
        if name.startswith(f"{root}/")
    }
    info = f"npukit-{npukit.__version__}.dist-info"
    found = names(built.wheel)
    assert {name.split("/")[0] for name in found} == {*PACKAGES, info}
    assert {name for name in found if not name.startswith(info)} == expected
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= found
    assert set(NEEDED) <= found


def test_a_wheel_built_in_place_is_the_same(built: SimpleNamespace) -> None:
    with zipfile.ZipFile(built.wheel) as one, zipfile.ZipFile(built.direct) as other:
        assert {item.filename: item.CRC for item in one.infolist()} == {
            item.filename: item.CRC for item in other.infolist()
        }


def test_the_source_distribution_holds_no_results(built: SimpleNamespace) -> None:
    with tarfile.open(built.archive) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "pyproject.toml", "LICENSE", "NOTICE", "README.md"} <= found
    assert not [name for name in found if name.startswith(("build/", "dist/", ".venv"))]


def test_the_version_is_the_packages_and_the_licence_is_named(built: SimpleNamespace) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        metadata = email.message_from_bytes(
            archive.read(f"npukit-{npukit.__version__}.dist-info/METADATA")
        )
    assert metadata["Version"] == npukit.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    needed = [text for text in metadata.get_all("Requires-Dist") if "extra ==" not in text]
    assert not [text for text in needed if text.startswith("torch")]


def test_only_our_packages_land_in_site_packages(python: Path, tmp_path: Path) -> None:
    code = "import importlib.metadata as m; print(*m.files('npukit'), sep='\\n')"
    placed = {line.split("/")[0] for line in call(python, "-c", code, cwd=tmp_path).splitlines()}
    assert placed == {*PACKAGES, f"npukit-{npukit.__version__}.dist-info", ".."}
    assert (python.parent / "npukit").is_file()  # what `..` leads to


@pytest.mark.parametrize(
    "name", ["sdk", "tools", "skills", "converters", "tests", "benchmarks", "torch"]
)
def test_what_is_not_ours_and_not_needed_is_absent(python: Path, tmp_path: Path, name: str) -> None:
    code = f"import importlib.util as u; print(u.find_spec({name!r}))"
    assert call(python, "-c", code, cwd=tmp_path).strip() == "None"


def test_the_demo_runs_from_another_folder(python: Path, tmp_path: Path) -> None:
    video = tmp_path / "out" / "demo.mp4"
    said = call(
        python.parent / "npukit", "run", "portrait_matting", "--display", video, "--json",
        cwd=tmp_path,
    )  # fmt: skip
    (run,) = json.loads(said)["runs"]
    assert run["error"] is None
    assert run["frames_in"] == 120
    assert run["frames_out"] == {str(video): 120}
    assert run["quality"]["frames"] == 120
    assert run["quality"]["mad"] < 0.02
    with av.open(str(video)) as container:
        shapes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shapes == [(1280, 720)] * 120


def presets(python: Path, folder: Path) -> list[str]:
    """The folder of the AIPP presets, how many there are, and what one of them is."""
    code = (
        "from npukit.aipp import lift, load_preset, preset_names\n"
        "from npukit.aipp.presets import preset_folder\n"
        "print(preset_folder(), len(preset_names()))\n"
        "print(lift(load_preset('nv21_to_rgb_bt601_narrow_0_1')).source)"
    )
    return call(python, "-c", code, cwd=folder).split()


def test_the_presets_of_the_preprocessing_unit_are_installed(
    python: Path, source: Path, tmp_path: Path
) -> None:
    folder, count, lifted = presets(python, tmp_path)
    assert Path(folder).parts[-4:] == ("site-packages", "npukit", "aipp", "_presets")
    assert int(count) == len(list((source / "aipp_configs").glob("*.cfg"))) > 100
    assert lifted == "nv21"


def test_doctor_finds_the_installation_sound(python: Path, tmp_path: Path) -> None:
    found = json.loads(call(python.parent / "npukit", "doctor", "--json", cwd=tmp_path))
    states = {item["check"]: item["state"] for item in found["checks"]}
    assert found["healthy"] is True
    assert states["skill portrait_matting"] == "ok"
    assert (states["torch"], states["onnx"]) == ("optional", "ok")


def test_an_installed_npukit_makes_the_bundle_that_the_repository_makes(
    python: Path, tmp_path: Path
) -> None:
    said = call(
        python.parent / "npukit", "bundle", "portrait_matting", "--board", "simulator", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    made = make_bundle(REPOSITORY / "skills" / "portrait_matting", "simulator")
    assert json.loads(said)["sha256"] == made.sha256


def test_an_editable_install_takes_the_skills_of_the_repository(
    source: Path, python: Path, tmp_path: Path
) -> None:
    """Last in this file: it replaces the wheel in the environment."""
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", source, cwd=tmp_path)
    code = "import npukit, npukit_cli.skills as s; print(npukit.__file__); print(s.bundled_root())"
    assert call(python, "-c", code, cwd=tmp_path).split() == [
        str(source / "sdk" / "npukit" / "__init__.py"),
        str(source / "skills"),
    ]
    said = call(
        python.parent / "npukit", "run", "portrait_matting", "--camera", "pattern:320x240,frames=3",
        "--display", "null", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(said)["runs"][0]["frames_out"] == {"null": 3}
    assert presets(python, tmp_path)[0] == str(source / "aipp_configs")
