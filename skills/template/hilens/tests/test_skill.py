"""The script on its own clip: `pytest` in the skill's folder."""

import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]


def test_the_script_runs_to_the_end_of_the_clip(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npukit_cli", "run", str(FOLDER / "main.py"),
         "--display", str(tmp_path / "out.mp4"), "--json"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    assert counts == {"frames read": 120, "inferences": 120, "frames shown": 120}
    assert (tmp_path / "out.mp4").stat().st_size > 10_000
