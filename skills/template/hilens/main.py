"""My skill, in the HiLens Kit's own API; npukit runs this file unmodified: `npukit run main.py`."""

import os
import sys

import cv2
import hilens
import numpy as np

CHECK_VALUE = "myskill"  # as given to the skill in the HiLens console
VIEW_SIZE = (640, 360)
MODEL_SIZE = (256, 144)  # width, height of the network's input


def crop_center(picture, aspect):
    """The largest centred part of an aspect (width / height)."""
    height, width = picture.shape[:2]
    wide, high = min(width, int(height * aspect)), min(height, int(width / aspect))
    left, top = (width - wide) // 2, (height - high) // 2
    return picture[top : top + high, left : left + wide]


def preprocess(nv21):
    """The camera's NV21 frame to the view and to the model's input, both RGB."""
    rgb = cv2.cvtColor(nv21, cv2.COLOR_YUV2RGB_NV21)
    view = cv2.resize(crop_center(rgb, VIEW_SIZE[0] / VIEW_SIZE[1]), VIEW_SIZE)
    return view, cv2.resize(view, MODEL_SIZE)


def composite(view, alpha, background):
    """The view before the background."""
    alpha = cv2.resize(alpha, VIEW_SIZE)[:, :, np.newaxis]
    return np.uint8(alpha * view + (1 - alpha) * background)


def main():
    """Camera to display, until the camera ends; returns the exit code."""
    folder = os.path.dirname(os.path.abspath(__file__))
    hilens.init(CHECK_VALUE)
    camera = hilens.VideoCapture(os.path.join(folder, "test/camera0.mp4"))
    display = hilens.Display(hilens.HDMI)
    model = hilens.Model(os.path.join(folder, "model/network.om"))
    picture = cv2.imread(os.path.join(folder, "data/background.jpg"))
    background = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), VIEW_SIZE)
    failed = False
    while True:
        try:
            nv21 = camera.read()
        except RuntimeError:
            break
        view, image = preprocess(nv21)
        outputs = model.infer([image.flatten()])
        if isinstance(outputs, int):
            hilens.error("infer failed: %d" % outputs)
            failed = True
            break
        alpha = outputs[0].reshape(MODEL_SIZE[1], MODEL_SIZE[0])
        result = composite(view, alpha, background)
        display.show(hilens.cvt_color(result, hilens.RGB2YUV_NV21))
    hilens.terminate()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
