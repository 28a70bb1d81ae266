"""fp16 is held to the floors of int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.quantized_networks import write_accuracy, write_project

from npukit_convert.chain import convert
from npukit_convert.config import read_config
from npukit_convert.conversion import Conversion
from npukit_convert.errors import Rejected


def run(folder: Path, **changes: Any) -> Conversion:
    path = write_project(folder, precision="fp16", calibration=None, **changes)
    return convert(read_config(path), folder, str(path))


def test_what_holds_is_said_with_its_figures(tmp_path: Path) -> None:
    made = run(tmp_path, accuracy=write_accuracy(tmp_path, psnr_db=40.0))
    (note,) = made.steps[-1].notes
    assert made.steps[-1].name == "judge"
    assert note.startswith("fp16 holds on 16 of 20 frames of others.npy: psnr_db is ")
    assert float(note.split("psnr_db is ")[1].split(",")[0]) > 50
    assert "accuracy.yaml" in made.sources


def test_what_misses_the_floor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        Rejected, match=r"fp16 misses the floor: psnr_db is .*, the floor 200"
    ) as it:
        run(tmp_path, accuracy=write_accuracy(tmp_path, psnr_db=200.0))
    assert it.value.made.build is not None


def test_what_overflows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        run(tmp_path, wide=1e6, accuracy=write_accuracy(tmp_path, cosine=0.999))


def test_without_floors_nothing_is_judged(tmp_path: Path) -> None:
    assert "judge" not in [step.name for step in run(tmp_path).steps]
