"""Make the simulator build from convert.yaml: `python model/build.py`."""

from pathlib import Path

from npukit.runtime.build import write_build
from npukit_convert.chain import make_build

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    build = make_build(HERE / "convert.yaml")
    write_build(str(HERE / f"{build.name}.sim"), build)
    print(f"{HERE / build.name}.sim: {len(build.onnx)} bytes of ONNX")
