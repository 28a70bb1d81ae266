"""A converted Caffe network in a Caffe with more layers, against its ONNX; outside `make test`.

BVLC's Caffe has no Interp, ReLU6, ShuffleChannel or Upsample. The wheel of tpu-mlir (312 MB,
BSD-2-Clause, Python 3.10 alone) carries a Caffe that has. It is made a virtual environment in
build/venvs at the first call. Run from the repository:

    PYTHONPATH=tests .venv/bin/python tests/extended/caffe_extended.py net.prototxt net.onnx
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from support.interpreters import cached_venv, find_python

from npukit.runtime.declaration import InputSpec
from npukit_convert.compare import Case, compare
from npukit_convert.execute.caffe_bvlc import CaffeBVLC
from npukit_convert.execute.onnx_runtime import OnnxRuntime
from npukit_convert.feeds import AMPLITUDES, Feeder
from npukit_convert.figures import Thresholds

# What pycaffe imports; tpu-mlir itself is added without its dependencies (torch, tensorflow).
WHEELS = ("numpy==1.24.3", "protobuf==3.20.3", "scikit-image", "six")
TPU_MLIR = "tpu-mlir==1.30.2"


def extended_caffe() -> tuple[Path, Path]:
    """The interpreter, and the folder that holds its `caffe`."""
    found = find_python("3.10")
    if found is None:
        sys.exit("no Python 3.10 starts here: pyenv install 3.10 brings one")
    python = cached_venv(found, *WHEELS)
    sites = python.parents[1] / "lib/python3.10/site-packages"
    if not (sites / "tpu_mlir").is_dir():
        install = (python, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", TPU_MLIR)
        subprocess.run(install, check=True)
    return python, sites / "tpu_mlir/python"


def main() -> int:
    """Compare; exit code 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prototxt", type=Path)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--caffemodel", type=Path, help="default: beside the prototxt")
    parser.add_argument("--max-abs", type=float, default=1e-4)
    given = parser.parse_args()
    python, package = extended_caffe()
    with (
        OnnxRuntime(given.onnx) as wanted,
        CaffeBVLC(given.prototxt, given.caffemodel, python=python, package=package) as found,
    ):
        shapes = {name: tuple(map(int, shape or ())) for name, shape in wanted.inputs.items()}
        feeder = Feeder({name: InputSpec(shape) for name, shape in shapes.items()})
        cases = [Case(f"noise of {size:g}", feeder.noise(size, 0)) for size in AMPLITUDES]
        result = compare(wanted, found, cases, Thresholds(given.max_abs), layers=True)
    for row in result.outputs:
        print(f"{row.one}: max abs {row.figures.max_abs:.2e}, cosine {row.figures.cosine:.6f}")
    first = result.first_past
    print(f"{len(result.layers)} layers compared; first too far: {first.one if first else 'none'}")
    return 1 if result.past else 0


if __name__ == "__main__":
    sys.exit(main())
