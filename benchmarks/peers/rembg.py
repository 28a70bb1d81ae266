"""rembg with its own small network (U2-Net-p), on one still a second of a video file.

Runs in an environment of its own; see benchmarks/external.py for how it is talked to. rembg
fetches its networks from elsewhere; here the same file, whose hash it checks, comes from a
package that was unpacked beside the environment.
"""

import json
import os
import sys
from pathlib import Path

from answer import answer

# Not this folder: its file has the name of the package.
sys.path.pop(0)

import av
import rembg


def stills(path):
    """One picture a second, RGB."""
    with av.open(path) as container:
        rate = round(container.streams.video[0].average_rate)
        for index, frame in enumerate(container.decode(video=0)):
            if index % rate == 0:
                yield frame.to_ndarray(format="rgb24")


def main():
    """Answer each line with what one run cost; decoding is not part of it."""
    given = json.loads(sys.argv[1])
    os.environ["OMP_NUM_THREADS"] = str(given["threads"])
    os.environ["U2NET_HOME"] = str(Path(sys.prefix) / "unpacked" / "rembg")
    session = rembg.new_session("u2netp")
    pictures = list(stills(given["clip"]))

    def loop():
        for picture in pictures:
            cutout = rembg.remove(picture, session=session)
            assert cutout.shape == (*picture.shape[:2], 4)
        return len(pictures)

    answer(loop)


if __name__ == "__main__":
    main()
