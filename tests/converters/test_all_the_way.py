"""Whole networks from PyTorch or ONNX to Caffe files, executed by OpenCV and by BVLC Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'npukit[torch]'")

from support.whole_networks import (  # noqa: E402 - after the skip
    ORIGINALS,
    Original,
    lower_to_caffe,
    worst_error,
)

from npukit_convert.execute.caffe_bvlc import CaffeBVLC  # noqa: E402
from npukit_convert.execute.caffe_opencv import CaffeOpenCV  # noqa: E402

TOLERANCE = 1e-4


@pytest.mark.parametrize("form", ["caffe", "caffe-omg"])
@pytest.mark.parametrize(
    "original",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.slow else [])
        for one in ORIGINALS
    ],
)
def test_a_network_computes_the_same_in_both_caffes(
    original: Original, form: str, tmp_path: Path, caffe_python: Path
) -> None:
    lowered = lower_to_caffe(original, form, tmp_path)
    assert lowered.undone == []
    for name in lowered.expected[0]:
        assert np.ptp([one[name] for one in lowered.expected]) > 1e-3, f"{name} computes something"
    files = lowered.prototxt, lowered.caffemodel
    assert worst_error(CaffeOpenCV(*files), lowered) <= TOLERANCE
    if "Interp" not in {layer.type for layer in lowered.net.layers}:  # not in BVLC Caffe
        assert worst_error(CaffeBVLC(*files, python=caffe_python), lowered) <= TOLERANCE
