"""The files of aipp_configs/ are what the table says, and do what their names say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from npukit.aipp import (
    Context,
    Executor,
    NetworkInput,
    lift,
    load_preset,
    lower,
    preset_names,
    steps,
    violations,
)
from npukit.aipp.presets import preset_folder, presets, write_presets
from npukit.errors import AippError
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "aipp_configs"


def test_the_files_are_what_the_table_gives() -> None:
    found = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.cfg")}
    assert found == {name: row.text for name, row in presets().items()}, "run make presets"
    assert preset_names() == sorted(found)
    assert Path(preset_folder()) == FOLDER


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    assert sorted(write_presets(str(tmp_path))) == preset_names()
    (tmp_path / "nv21_to_gray_raw.cfg").write_text("aipp_op {")
    assert write_presets(str(tmp_path)) == ["nv21_to_gray_raw"]
    assert write_presets(str(tmp_path)) == []


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_taken_by_the_chip(name: str) -> None:
    config = load_preset(name)
    channels = steps(config, (224, 224)).channels
    context = Context(inputs=(NetworkInput("data", 224, 224, channels),))
    assert violations(config, context) == ()


# A pixel as bytes of each source; its colour is R 200, G 100, B 50 (for YUV: by BT.601 narrow).
YUV = {"bt601_narrow": (124, 90, 176), "bt601_wide": (124, 86, 182),
       "bt709_narrow": (117, 96, 173), "bt709_wide": (118, 91, 180)}  # fmt: skip
PACKED = {"rgb": [200, 100, 50], "bgr": [50, 100, 200], "xrgb": [7, 200, 100, 50], "gray": [124]}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SCALED = {
    "raw": lambda rgb: rgb,
    "0_1": lambda rgb: rgb / 255,
    "m1_1": lambda rgb: rgb / 127.5 - 1,
    "imagenet": lambda rgb: (rgb / 255 - MEAN) / DEVIATION,
}
STEP = {"raw": 1.0, "0_1": 1 / 255, "m1_1": 1 / 127.5, "imagenet": 1 / 57}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_does_what_its_name_says(name: str) -> None:
    found = re.fullmatch(
        r"(nv21|nv12|rgb|bgr|xrgb|gray)_to_(rgb|bgr|gray)(?:_(bt\d+_\w+?))?_(0_1|m1_1|imagenet|raw)",
        name,
    )
    assert found is not None
    source, to, color, scaling = found.groups()
    if source in ("nv21", "nv12"):
        y, u, v = YUV[color or "bt601_narrow"]
        pixels = [y] * 4 + ([v, u] if source == "nv21" else [u, v])
    else:
        pixels = PACKED[source] * 4
    got = Executor(steps(load_preset(name), (2, 2)))(np.array(pixels, np.uint8))[0, :, 1, 1]
    if to == "gray":
        expected = SCALED[scaling](np.array([124.0]))
    else:
        expected = SCALED[scaling](np.array([200.0, 100.0, 50.0]))[:: 1 if to == "rgb" else -1]
    if source == "xrgb" and to != "gray":
        expected = np.append(expected, 0)
    # The bytes are rounded, and the conversion is cut: two levels.
    assert np.abs(got - expected).max() < 2.5 * STEP[scaling]


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(AippError, match="did you mean 'nv21_to_rgb_bt601_narrow_0_1'"):
        load_preset("nv21_to_rgb_bt601_narow_0_1")


@pytest.mark.parametrize("name", ["selfie_landscape", "selfie_square"])
def test_the_preset_equals_the_declaration_of_the_shipped_networks(name: str) -> None:
    build = read_build(str(REPOSITORY / f"skills/portrait_matting/model/{name}.sim"))
    declared = build.inputs["image"].preprocess
    assert isinstance(declared, Preprocess)
    preset = load_preset("nv21_to_rgb_bt601_narrow_0_1")
    assert lower(declared) == preset
    assert lift(preset).scale == pytest.approx(declared.scale, rel=1e-7)
