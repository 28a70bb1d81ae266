"""A skill as one writes it for the HiLens Kit: nothing here knows of npukit.

Makes the calls of the portrait matting demo in their order: init, VideoCapture on a file, HDMI,
Model; then for each frame read, NV21 to RGB, mirror, square crop, infer on flattened RGB bytes,
blend, RGB to NV21, show.
"""

import os

import cv2
import hilens
import numpy as np

VIEW, MODEL = 640, 384


def square(picture):
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def main(folder):
    hilens.init("hello")
    camera = hilens.VideoCapture("test/camera0.mp4")
    display = hilens.Display(hilens.HDMI)
    model = hilens.Model(os.path.join(folder, "model/portrait_384.om"))
    new_background = cv2.cvtColor(cv2.imread("data/background.jpg"), cv2.COLOR_BGR2RGB)
    new_background = cv2.resize(square(new_background), (VIEW, VIEW))
    while True:
        try:
            nv21 = camera.read()
        except RuntimeError as end:
            hilens.info(str(end))
            break
        rgb = cv2.flip(cv2.cvtColor(nv21, cv2.COLOR_YUV2RGB_NV21), 1)
        view = cv2.resize(square(rgb), (VIEW, VIEW))
        image = cv2.resize(view, (MODEL, MODEL))
        outputs = model.infer([image.flatten()])
        if isinstance(outputs, int):
            hilens.error("infer failed with %d" % outputs)
            break
        alpha = cv2.resize(outputs[0].reshape(MODEL, MODEL), (VIEW, VIEW))[:, :, np.newaxis]
        result = alpha * view + (1 - alpha) * new_background
        both = np.uint8(np.concatenate((view, result), axis=1))
        code = display.show(hilens.cvt_color(both, hilens.RGB2YUV_NV21))
        if code != 0:
            hilens.error("show failed with %d" % code)
            break
    hilens.terminate()


if __name__ == "__main__":
    main(os.path.dirname(os.path.abspath(__file__)))
