"""A contestant that needs packages of its own: another interpreter, told line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.clips import BUILD
from benchmarks.measure import Cost

_HERE = Path(__file__).resolve().parent


class External:
    """A script in `benchmarks/peers/`, with the interface of `measure.Contestant`.

    The script gets one JSON object as its argument, prints `ready`, and for each line it reads
    runs its loop once and prints `{"frames": , "wall_s": , "cpu_s": }`.
    """

    def __init__(
        self,
        script: str,
        pins: tuple[str, ...],
        given: Mapping[str, Any],
        unpacked: tuple[str, ...] = (),
    ) -> None:
        """Start the script in an environment with `pins` installed, made when it is missing.

        Args:
            script: its name.
            pins: packages with their versions.
            given: what the script gets.
            unpacked: packages that are wanted for the files in them alone: they come without
                what they depend on, into the environment's folder `unpacked`.
        """
        python, file = _python(script, pins, unpacked), _HERE / "peers" / f"{script}.py"
        self._process = subprocess.Popen(
            [str(python), str(file), json.dumps(given)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._line("ready")

    def __enter__(self) -> External:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self) -> Cost:
        """Run once; what a frame cost."""
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        told = json.loads(self._line("{"))
        return Cost(1e3 * told["wall_s"] / told["frames"], 1e3 * told["cpu_s"] / told["frames"])

    def stages(self) -> Mapping[str, float]:
        """Nothing is known of its stages."""
        return {}

    def _line(self, begins: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(begins):
                return line
        raise RuntimeError(f"{self._process.args} ended with {self._end()}")

    def _end(self) -> int:
        """Let it end; its exit code."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        return self._process.wait(timeout=60)


def _python(name: str, pins: tuple[str, ...], unpacked: tuple[str, ...]) -> Path:
    folder = BUILD.parent / "venvs" / f"bench-{name}"
    stamp, wanted = folder / "pins.txt", "\n".join((*pins, *unpacked))
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *pins], check=True)
        if unpacked:
            target = ["--no-deps", "--target", str(folder / "unpacked")]
            subprocess.run([*pip, "install", "--quiet", *target, *unpacked], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin/python"
