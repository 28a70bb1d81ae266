"""What `npukit board simulate` does: start the virtual board, say how to reach it, wait."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

from npukit_cli import output
from npukit_cli.deploy.virtual_board import VirtualBoard


def execute(folder: str, port: int, memory: int | None, json: bool) -> int:
    """Run until Ctrl-C or a signal to end; the skills on the board end with it."""
    asked_to_end = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    with VirtualBoard(Path(folder), port, memory=memory << 20 if memory else None) as board:
        try:
            _tell(board, json)
            while not asked_to_end.wait(0.5):  # a wait without end would not see Ctrl-C
                pass
        except KeyboardInterrupt:
            output.say("the virtual board is switched off")
        finally:
            board.stop_skills()
            signal.signal(signal.SIGTERM, before)
    return 0


def _tell(board: VirtualBoard, json: bool) -> None:
    reach = f"--to {board.address} --identity {board.identity}"
    if json:
        output.as_json_line(
            {
                "address": board.address,
                "identity": str(board.identity),
                "host_key": board.fingerprint,
                "folder": str(board.folder),
                "server": board.server,
            }
        )
        return
    if board.server != "OpenSSH":
        output.say(
            "WARNING: there is no OpenSSH server here, so asyncssh's stands in for it. "
            "`apt-get install openssh-server` brings the real one"
        )
    for line in board.booted:
        output.say(f"boot: {line}")
    output.result(f"virtual board in {board.folder} ({board.server}), Ctrl-C switches it off")
    output.result(f"  npukit flash SKILL {reach} --host-key {board.fingerprint}")
    output.result(f"  npukit board status {reach}")
    output.result(f"  npukit board logs --follow {reach}")
