"""What a peer says and hears: `ready`, then for each line what one run cost."""

import json
import sys
import time


def answer(run):
    """Tell that all is loaded; `run()` gives how many frames it did."""
    _say("ready")
    for _ in sys.stdin:
        began, cpu = time.perf_counter(), time.process_time()
        frames = run()
        wall, busy = time.perf_counter() - began, time.process_time() - cpu
        _say(json.dumps({"frames": frames, "wall_s": wall, "cpu_s": busy}))


def _say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
