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
        packed: the bytes of the declared source, uint8: NV21 (H*3//2, W) in the declared matrix
            and range, or (H, W, 3).

    Returns:
        (1, C, H, W) float32, `(channel - mean) * scale`.
    """
    tensor = np.array(cv2.split(_picture(spec, packed)), np.float32)
    tensor -= np.array(spec.mean, np.float32).reshape(-1, 1, 1)
    tensor *= np.array(spec.scale, np.float32).reshape(-1, 1, 1)
    return tensor[np.newaxis]


def _picture(spec: Preprocess, packed: U8) -> U8:
    """(H, W) or (H, W, 3) uint8, the channels in the network's order."""
    if spec.source != "nv21":
        same_order = spec.source[:3] == spec.to
        return packed if same_order else cv2.cvtColor(packed, cv2.COLOR_RGB2BGR)
    frame = Nv21Frame.from_packed(packed, spec.color)
    if spec.to == "gray":
        return frame.y
    return yuv_to_rgb(frame.y, frame.vu, spec.color, bgr=spec.to == "bgr")
