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
        picture = frame.y[:, :, np.newaxis]
    else:
        picture = yuv_to_rgb(frame.y, frame.vu, spec.color, bgr=spec.to == "bgr")
    tensor = np.empty((1, spec.channels, frame.height, frame.width), np.float32)
    for channel in range(spec.channels):
        mean, scale = spec.mean[channel], spec.scale[channel]
        plane = cv2.extractChannel(picture, channel)
        np.multiply(
            np.subtract(plane, np.float32(mean), out=tensor[0, channel]),
            np.float32(scale),
            out=tensor[0, channel],
        )
    return tensor
