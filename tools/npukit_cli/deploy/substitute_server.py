"""A STAND-IN for OpenSSH's server on the virtual board, where that is not installed.

    python -m npukit_cli.deploy.substitute_server KEYS PORT

Every command runs `KEYS/session`, as OpenSSH's ForceCommand would. It forwards nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncssh

_BLOCK = 1 << 16


async def _serve(keys: Path, port: int) -> None:
    async def run(process: asyncssh.SSHServerProcess[bytes]) -> None:
        child = await asyncio.create_subprocess_exec(
            str(keys / "session"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "SSH_ORIGINAL_COMMAND": process.command or ""},
        )
        await process.redirect(child.stdin, child.stdout, child.stderr)
        process.exit(await child.wait())
        await process.wait_closed()

    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[str(keys / "host_key")],
        authorized_client_keys=str(keys / "authorized_keys"),
        process_factory=run,
        encoding=None,
    )
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
