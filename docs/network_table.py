"""The table of whole networks and their error in Caffe; takes minutes, so not part of `make docs`.

python docs/network_table.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.caffe import bvlc_python, has_bvlc
from support.whole_networks import ORIGINALS, Lowered, lower_to_caffe, worst_error

from npukit_convert.execute.caffe_bvlc import CaffeBVLC
from npukit_convert.execute.caffe_opencv import CaffeOpenCV

PAGE = Path(__file__).resolve().parent / "reference" / "networks.md"
_HEAD = """<!-- Written by docs/network_table.py: run it, do not change this page. -->

# Whole networks in Caffe

The largest difference between a network's Caffe files and its ONNX in ONNX Runtime, on a real
frame (the selfie networks) and noise of two sizes; relative to an output's largest number where
that is above 1. `caffe` is plain BVLC Caffe, `caffe-omg` the 42 layers of Ascend's OMG. BVLC Caffe
has no Interp layer: `-`. The weights of the selfie and face networks and of ESRGAN are trained,
the others random. The tests ask for 1e-4.

| network | form | layers | OpenCV | BVLC Caffe 1.0 |
|---|---|--:|--:|--:|
"""


def main() -> None:
    """Write the page."""
    python = bvlc_python() if has_bvlc() else None
    rows = []
    for original in sorted(ORIGINALS, key=lambda one: one.name):
        for form in ("caffe", "caffe-omg"):
            with tempfile.TemporaryDirectory() as folder:
                lowered = lower_to_caffe(original, form, Path(folder))
                assert not lowered.undone, lowered.undone
                rows.append(_row(original.name, form, lowered, python))
    PAGE.write_text(_HEAD + "".join(rows), encoding="utf-8")


def _row(name: str, form: str, lowered: Lowered, python: Path | None) -> str:
    files = lowered.prototxt, lowered.caffemodel
    layers = lowered.net.layers
    bvlc = "-"
    if python is not None and "Interp" not in {layer.type for layer in layers}:
        bvlc = f"{worst_error(CaffeBVLC(*files, python=python), lowered):.1e}"
    opencv = f"{worst_error(CaffeOpenCV(*files), lowered):.1e}"
    return f"| {name} | {form} | {len(layers)} | {opencv} | {bvlc} |\n"


if __name__ == "__main__":
    main()
