"""Make the skill's simulator builds from the weights beside this file (needs npukit[torch])."""

from pathlib import Path

from npukit.runtime.build import write_build
from npukit_convert.chain import make_build

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    for config in ("convert.yaml", "convert_square.yaml"):
        build = make_build(HERE / config)
        target = HERE / f"{build.name}.sim"
        write_build(str(target), build)
        print(f"{target}: {len(build.onnx)} bytes of ONNX, {dict(build.record)}")
