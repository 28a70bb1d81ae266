"""What was unpacked runs by itself: the runtime in the bundle, numpy, OpenCV, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest
from support.bundles import write_skill
from support.interpreters import cached_venv, clean_environment, find_python

from npukit_cli.deploy import onboard
from npukit_cli.deploy.bundle import make_bundle
from npukit_cli.deploy.onboard.bundle_files import unpack
from npukit_cli.skills import bundled_root

# As on the HiLens Kit; see tests/sdk/test_python37.py.
WHEELS = ("numpy==1.21.6", "opencv-python==3.4.2.17")
# What the simulated board has beside Python: its runtime, and the decoder of its video source.
PACKAGES = ("numpy", "cv2", "onnxruntime", "av")
# The bundle's npukit is the one in use; nothing of the host is there to be imported.
CHECKED = """
import importlib.util, sys
missing = [name for name in ("npukit_cli", "npukit_convert", "yaml", "onnx", "torch", "pydantic")
           if importlib.util.find_spec(name)]
assert not missing, missing
import npukit
assert npukit.__file__.startswith({folder!r}), npukit.__file__
import runpy
sys.argv = [{main!r}]
runpy.run_path({main!r}, run_name="__main__")
"""


def packages(folder: Path) -> Path:
    """A folder with a few installed packages and their libraries, and no other."""
    folder.mkdir()
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        (folder / package.name).symlink_to(package)
        for libraries in package.parent.glob(f"{'opencv_python' if name == 'cv2' else name}.libs"):
            (folder / libraries.name).symlink_to(libraries)
    return folder


def test_portrait_matting_runs_on_the_simulated_board(tmp_path: Path) -> None:
    made = make_bundle(bundled_root() / "portrait_matting", "simulator")
    path, folder = tmp_path / made.file_name, tmp_path / "new"
    path.write_bytes(made.data)
    unpack(str(path), str(folder), "simulator", expected_board="simulator")
    code = CHECKED.format(folder=str(folder), main=str(folder / "main.py"))
    subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=f"{folder}:{packages(tmp_path / 'packages')}"),
        check=True,
        timeout=300,
    )
    with av.open(str(tmp_path / "portrait_matting.mp4")) as video:
        shown = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    with av.open(str(folder / "assets" / "demo.mp4")) as video:
        given = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(shown) == len(given)
    assert shown[0].shape == given[0].shape
    # The background was replaced: most pixels differ, and not by the encoder alone.
    assert (cv2.absdiff(shown[5], given[5]).max(axis=2) > 40).mean() > 0.3


@pytest.fixture(scope="module")
def python37() -> Path:
    interpreter = find_python("3.7")
    if interpreter is None:
        pytest.skip("NOT CHECKED: bundles on Python 3.7. No Python 3.7 starts here")
    return interpreter


ONBOARD = """
import json, sys
sys.path.insert(0, {package!r})
from onboard.bundle_files import BundleError, unpack, verify
foreign = {{"numpy", "cv2", "npukit", "yaml"}} & set(sys.modules)
assert not foreign, foreign
verify({bundle!r}, "simulator")
try:
    unpack({bundle!r}, {folder!r} + "_wrong", "ascend310")
except BundleError as error:
    assert "for target simulator, this is ascend310" in str(error), error
else:
    raise AssertionError("a bundle for another target was taken")
found = unpack({bundle!r}, {folder!r}, "simulator", expected_board="simulator")
print(json.dumps([found["name"], list(sys.version_info[:2])]))
"""


def test_python_37_unpacks_and_runs_it(python37: Path, tmp_path: Path) -> None:
    """A skill without models: ONNX Runtime is for the host."""
    skill = write_skill(tmp_path / "skill", models={}, boards=["simulator"], check_value=None,
                        capture="pattern:64x48,frames=3", display="pictures/")  # fmt: skip
    made = make_bundle(skill, "simulator")
    path, folder = tmp_path / made.file_name, tmp_path / "new"
    path.write_bytes(made.data)
    code = ONBOARD.format(
        package=str(Path(onboard.__file__).parents[1]), bundle=str(path), folder=str(folder)
    )
    unpacked = subprocess.run(
        [python37, "-I", "-S", "-B", "-W", "error", "-c", code],
        stdout=subprocess.PIPE, check=True, encoding="utf-8", timeout=60,
    )  # fmt: skip
    assert json.loads(unpacked.stdout) == ["plain", [3, 7]]
    assert not (tmp_path / "new_wrong").exists()
    subprocess.run(
        [cached_venv(python37, *WHEELS), "-B", "-W", "error", folder / "main.py"],
        cwd=tmp_path, env=clean_environment(), check=True, timeout=120,
    )  # fmt: skip
    assert len(list((tmp_path / "pictures").iterdir())) == 3


def test_python_37_imports_the_whole_runtime(python37: Path, tmp_path: Path) -> None:
    """And loads a skill with models as far as a board's own module is needed."""
    made = make_bundle(bundled_root() / "portrait_matting", "simulator")
    path, folder = tmp_path / made.file_name, tmp_path / "new"
    path.write_bytes(made.data)
    unpack(str(path), str(folder))
    code = (
        "import pkgutil, importlib, npukit\n"
        "from npukit.errors import PluginError\n"
        "from npukit.skill import load_skill\n"
        "done = 0\n"
        "for module in pkgutil.walk_packages(npukit.__path__, 'npukit.'):\n"
        "    if module.name.endswith('__main__'):\n"
        "        continue\n"
        "    try:\n"
        "        importlib.import_module(module.name)\n"
        "    except ImportError as error:\n"
        "        assert error.name in ('av', 'hilens', 'acl', 'onnxruntime'), error\n"
        "    done += 1\n"
        "assert done > 60, done\n"
        "try:\n"
        f"    load_skill({str(folder)!r})\n"
        "except PluginError as error:\n"
        "    assert 'onnxruntime' in str(error), error\n"
        "else:\n"
        "    raise AssertionError('ONNX Runtime is not here')\n"
    )
    subprocess.run(
        [cached_venv(python37, *WHEELS), "-B", "-c", code],
        cwd=folder, env=clean_environment(PYTHONPATH=str(folder)), check=True, timeout=120,
    )  # fmt: skip
