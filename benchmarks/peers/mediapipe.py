"""MediaPipe's selfie segmentation with the composite of its published sample, on a video file.

Runs in an environment of its own; see benchmarks/external.py for how it is talked to.
"""

import json
import os
import sys

from answer import answer

# Not this folder: its file has the name of the package.
sys.path.pop(0)

import cv2
import mediapipe
import numpy as np


def loop(path, segment, background):
    """Decode, mirror, RGB, process, composite where the mask is above 0.1; how many frames."""
    capture = cv2.VideoCapture(path)
    count = 0
    while True:
        found, bgr = capture.read()
        if not found:
            return count
        rgb = cv2.cvtColor(cv2.flip(bgr, 1), cv2.COLOR_BGR2RGB)
        rgb.flags.writeable = False
        mask = segment.process(rgb).segmentation_mask
        rgb.flags.writeable = True
        picture = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        inside = np.stack((mask,) * 3, axis=-1) > 0.1
        result = np.where(inside, picture, background)
        assert result.shape == bgr.shape
        count += 1


def main():
    """Answer each line with what one run cost."""
    given = json.loads(sys.argv[1])
    cv2.setNumThreads(given["threads"])
    background = cv2.resize(cv2.imread(given["background"]), tuple(given["size"]))
    model = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=1)
    with model as segment:
        answer(lambda: loop(given["clip"], segment, background))


if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    main()
