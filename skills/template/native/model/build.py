"""Make the simulator build from convert.yaml: `python model/build.py`."""

import sys
from pathlib import Path

from npukit.errors import NpukitError
from npukit.runtime.build import write_build
from npukit_convert.chain import make_build

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    try:
        build = make_build(HERE / "convert.yaml")
    except NpukitError as error:
        sys.exit(f"error: {error}")
    write_build(str(HERE / f"{build.name}.sim"), build)
    print(f"{HERE / build.name}.sim: {len(build.onnx)} bytes of ONNX")
