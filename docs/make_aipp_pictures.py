"""Make the pictures of docs/topics/aipp.md: what the network sees through a wrong configuration.

    python docs/make_aipp_pictures.py

Each is a frame of the bundled clip as the preprocessing unit gives it, beside the alpha that the
matting network makes of it. Prints how far that alpha is from the right one: the mean, the
largest difference, and the part of the pixels that are off by more than a half.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from npukit.aipp import AippConfig, Executor, load_preset, steps
from npukit.capture import open_source
from npukit.files import replacing
from npukit.preprocess.host import fit
from npukit.runtime.build import read_build

IMAGES = Path(__file__).resolve().parent / "images"
SKILL = IMAGES.parents[1] / "skills" / "portrait_matting"
FRAME = 60
SIZE = (256, 144)


def configurations() -> dict[str, AippConfig]:
    """The right one and the mistakes, by the name of the picture."""
    return {
        "right": load_preset("nv21_to_rgb_bt601_narrow_0_1"),
        "swapped": load_preset("nv12_to_rgb_bt601_narrow_0_1"),
        "wide": load_preset("nv21_to_rgb_bt601_wide_0_1"),
        "bgr": load_preset("nv21_to_bgr_bt601_narrow_0_1"),
        "matrix": load_preset("nv21_to_rgb_bt709_narrow_0_1"),
        "raw": load_preset("nv21_to_rgb_bt601_narrow_raw"),
    }


def results() -> dict[str, tuple[Any, Any]]:
    """(H, W, 3) RGB uint8 and (H, W) alpha float32 for each configuration."""
    build = read_build(str(SKILL / "model" / "selfie_landscape.sim"))
    network = onnxruntime.InferenceSession(build.onnx, providers=["CPUExecutionProvider"])
    spec = build.inputs["image"].preprocess
    assert spec is not None
    source = open_source(str(SKILL / "assets" / "demo.mp4"))
    try:
        captured = next(islice(source.frames(), FRAME, None))
        packed = fit(spec, captured.frame, SIZE).pack()
    finally:
        source.close()
    out = {}
    for name, config in configurations().items():
        tensor = Executor(steps(config, SIZE))(packed)
        (alpha,) = network.run(None, {"image": tensor})
        # What the network takes for a picture in 0..1.
        seen = np.clip(np.rint(tensor[0] * 255), 0, 255).astype(np.uint8)
        out[name] = (np.ascontiguousarray(seen.transpose(1, 2, 0)), alpha.squeeze())
    return out


def main() -> None:
    """Write the pictures."""
    found = results()
    right = found["right"][1]
    for name, (seen, alpha) in found.items():
        gray = np.rint(alpha * 255).astype(np.uint8)
        pair = np.hstack([seen[:, :, ::-1], cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)])
        path = str(IMAGES / f"aipp_{name}.jpg")
        with replacing(path) as temporary:
            cv2.imwrite(temporary, pair, [cv2.IMWRITE_JPEG_QUALITY, 88])
        apart = np.abs(alpha - right)
        wrong = 100 * (apart > 0.5).mean()
        print(f"| {name} | {apart.mean():.4f} | {apart.max():.2f} | {wrong:.2f} % |")


if __name__ == "__main__":
    main()
