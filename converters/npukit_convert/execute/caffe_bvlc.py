"""Caffe networks by a real Caffe, in the Python that it is installed for.

Caffe's wheels are for old Pythons and numpys, and a failed check (glog) aborts the process, so
each network gets a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npukit.arrays import F32
from npukit_convert.errors import ExecutionError
from npukit_convert.execute.base import Executor
from npukit_convert.execute.caffe_net import read_net

_WORKER = Path(__file__).with_name("_bvlc_worker.py")
_FATAL = re.compile(r"^F\d+ \S+ +\d+ (.*)$", re.MULTILINE)  # glog: F1121 15:02:11.1 123 file:1] ...
_LIBPROTOBUF = re.compile(r"^\[libprotobuf ERROR [^\]]*\] (.*)$", re.MULTILINE)
# What would lead the other Python to packages of this one.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV")
REQUIREMENTS = ("kendryte-caffe==1.0.0.20210829", "protobuf<3.21", "numpy<2", "scikit-image")
"""Wheels that bring BVLC Caffe 1.0 to a Python 3.7 to 3.9."""


class CaffeBVLC(Executor):
    """Any pycaffe: BVLC's, or one with more layers."""

    engine = "Caffe"

    def __init__(
        self,
        prototxt: Path,
        caffemodel: Path | None = None,
        *,
        python: Path,
        package: Path | None = None,
    ) -> None:
        """Open a network; see `read_net`.

        Args:
            prototxt, caffemodel: the network.
            python: the interpreter that has Caffe (see `REQUIREMENTS`).
            package: the folder that holds the `caffe` package, where it is not installed as one.

        Raises:
            ExecutionError: as `read_net`, the interpreter has no Caffe, or Caffe refuses the
                network: with the check that failed.
        """
        net = read_net(prototxt, caffemodel)
        super().__init__(net.where, net.inputs, tuple(net.outputs))
        self._folder = Path(tempfile.mkdtemp(prefix="npukit-caffe-"))
        self._process: subprocess.Popen[str] | None = None
        try:
            # Caffe reads what was checked, whatever happens to the files meanwhile.
            (self._folder / "net.prototxt").write_text(net.prototxt, encoding="utf-8")
            (self._folder / "net.caffemodel").write_bytes(net.caffemodel)
            self._process = self._start(python, package)
            self._answer()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process and remove its files."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, feeds: Mapping[str, F32]) -> dict[str, F32]:
        found = dict(self._ask(feeds, layers=False))
        return {name: found[name] for name in self.outputs}

    def _layers(self, feeds: Mapping[str, F32]) -> Iterator[tuple[str, F32]]:
        return self._ask(feeds, layers=True)

    def _ask(self, feeds: Mapping[str, F32], layers: bool) -> Iterator[tuple[str, F32]]:
        if self._process is None:
            raise self._failed("the process has ended")
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            files = {name: f"{scratch}/feed{place}.npy" for place, name in enumerate(feeds)}
            for name, file in files.items():
                np.save(file, feeds[name])
            request = {"feeds": files, "into": scratch, "layers": layers}
            for place, name in enumerate(self._answer(request)["names"]):
                result = Path(scratch) / f"{place}.npy"
                yield name, np.load(result)
                result.unlink()

    def _start(self, python: Path, package: Path | None) -> subprocess.Popen[str]:
        environment = {key: text for key, text in os.environ.items() if key not in _FOREIGN}
        environment["GLOG_minloglevel"] = "2"
        environment["GLOG_logtostderr"] = "1"
        if package is not None:
            environment["PYTHONPATH"] = str(package)
        files = (self._folder / "net.prototxt", self._folder / "net.caffemodel")
        try:
            with (self._folder / "log").open("w") as log:
                return subprocess.Popen(
                    [python, "-B", _WORKER, *files],
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    encoding="utf-8",
                )
        except OSError as error:
            raise ExecutionError(
                f"the Python for Caffe does not start: {error.strerror}", where=str(python)
            ) from error

    def _answer(self, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request, if any, and wait for the process' answer."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise self._failed("the process has ended")
        try:
            if request is not None:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            log = (self._folder / "log").read_text("utf-8", "replace")
            reason, hint = explain(log.replace(str(self._folder / "net.prototxt"), self.where))
            self.close()
            raise self._failed(reason, hint)
        answer: dict[str, Any] = json.loads(line)
        return answer


def explain(log: str) -> tuple[str, str]:
    """Why Caffe's process ended, from what it wrote to stderr; and what to do."""
    fatal = _FATAL.findall(log)
    if fatal:
        details = [*_LIBPROTOBUF.findall(log), fatal[0]]
        return "; ".join(line.strip() for line in details), ""
    last = ([line for line in log.splitlines() if line.strip()] or ["it says nothing"])[-1]
    if "No module named 'caffe'" in log:
        wheels = " ".join(f"'{wheel}'" for wheel in REQUIREMENTS)
        return last, f"install it there: python3.9 -m pip install {wheels}"
    return last, ""
