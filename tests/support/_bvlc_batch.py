"""Runs Caffe networks for `support.caffe`, by path, in Caffe's own Python (3.9, numpy < 2).

A list of jobs comes on stdin as JSON; for each job a line goes to stdout: {"error": why or ""}.
A failed check ends a process of Caffe, so each network has a fork of its own.
"""

import json
import os
import sys
from pathlib import Path

import caffe
import numpy as np


def main():
    """Answer every job."""
    caffe.set_mode_cpu()
    for job in json.load(sys.stdin):
        log = Path(job["folder"], "log")
        child = os.fork()
        if child == 0:
            with log.open("w") as file:
                os.dup2(file.fileno(), 2)
            os._exit(_run(job))
        _, status = os.waitpid(child, 0)
        said = log.read_text().strip() or f"status {status}"
        sys.stdout.write(json.dumps({"error": said[-2000:] if status else ""}) + "\n")
        sys.stdout.flush()


def _run(job):
    folder = Path(job["folder"])
    try:
        files = [str(folder / name) for name in ("net.prototxt", "net.caffemodel")]
        net = caffe.Net(*files, caffe.TEST)
        assert sorted(net.outputs) == sorted(job["outputs"]), f"outputs are {net.outputs}"
        for number in range(job["feeds"]):
            feeds = np.load(folder / f"feeds{number}.npz")
            for name in feeds.files:
                net.blobs[name].data[...] = feeds[name]
            results = {name: np.array(value) for name, value in net.forward().items()}
            np.savez(folder / f"results{number}.npz", **results)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test reports it
        sys.stderr.write(f"{type(error).__name__}: {error}")
        sys.stderr.flush()
        return 1
    return 0


if __name__ == "__main__":
    main()
