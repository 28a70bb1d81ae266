"""The device's part, for the simulator: colour conversion and scaling of the input bytes."""

from __future__ import annotations

import cv2
import numpy as np

from npukit.arrays import F32, U8
from npukit.color import yuv_to_rgb
from npukit.frame import Nv21Frame
from npukit.preprocess.spec import Preprocess


def to_tensor(spec: Preprocess, packed: U8) -> F32:
    """What the network takes for the bytes of a model input.

    Args:
        spec: the declaration.
        packed: NV21 bytes (H*3//2, W) uint8 in the declared matrix and range.

    Returns:
        (1, C, H, W) float32, `(channel - mean) * scale`.
    """
    frame = Nv21Frame.from_packed(packed, spec.color)
    if spec.to == "gray":
        picture = frame.y
    else:
        picture = yuv_to_rgb(frame.y, frame.vu, spec.color, bgr=spec.to == "bgr")
    tensor = np.array(cv2.split(picture), np.float32)
    tensor -= np.array(spec.mean, np.float32).reshape(-1, 1, 1)
    tensor *= np.array(spec.scale, np.float32).reshape(-1, 1, 1)
    return tensor[np.newaxis]
