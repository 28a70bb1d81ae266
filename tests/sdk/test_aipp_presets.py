"""The AIPP presets say what the declarations of the shipped networks say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from npukit.color import to_rgb_matrix
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build

REPOSITORY = Path(__file__).resolve().parents[2]
PRESET = REPOSITORY / "aipp_configs/nv21_to_rgb_bt601_narrow_0_1.cfg"


def fields() -> dict[str, str]:
    text = re.sub(r"#.*", "", PRESET.read_text(encoding="utf-8"))
    body = re.fullmatch(r"\s*aipp_op \{(.*)\}\s*", text, flags=re.DOTALL)
    assert body is not None
    pairs = re.findall(r"^\s*(\w+): (\S+)$", body.group(1), flags=re.MULTILINE)
    assert len(pairs) == len(dict(pairs)), "a field is given twice"
    return dict(pairs)


def declaration(name: str) -> Preprocess:
    build = read_build(str(REPOSITORY / f"skills/portrait_matting/model/{name}.sim"))
    declared = build.inputs["image"].preprocess
    assert declared is not None
    return declared


@pytest.mark.parametrize("name", ["selfie_landscape", "selfie_square"])
def test_preset_equals_the_declaration(name: str) -> None:
    spec, found = declaration(name), fields()
    assert (spec.source, spec.to) == ("nv21", "rgb")
    assert found["input_format"] == "YUV420SP_U8"
    assert found["rbuv_swap_switch"] == found["csc_switch"] == "true"
    rows, bias = to_rgb_matrix(spec.color)
    for row in range(3):
        assert [int(found[f"matrix_r{row}c{column}"]) for column in range(3)] == list(rows[row])
        assert int(found[f"input_bias_{row}"]) == bias[row]
        assert int(found[f"mean_chn_{row}"]) + float(found[f"min_chn_{row}"]) == spec.mean[row]
        assert float(found[f"var_reci_chn_{row}"]) == pytest.approx(spec.scale[row], abs=1e-8)
