"""Who signed a bundle: asked of `ssh-keygen -Y`, with an allowed-signers file (OpenSSH 8.2)."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import List, Sequence

from .errors import BundleError, SignatureToolError

NAMESPACE = "npukit-skill"  # a signature that was made for something else does not count
_TIMEOUT = 60  # seconds
_TOO_OLD = ("unknown option", "illegal option", "invalid option", "unsupported operation")


def can_check() -> bool:
    """Whether signatures can be checked here."""
    try:
        _call(["find-principals"], b"")
    except SignatureToolError:
        return False
    return True


def signer(data: bytes, signature: bytes, allowed_signers: str) -> str:
    """Whose signature of `data` it is.

    Args:
        data: what was signed.
        signature: in OpenSSH's armoured form.
        allowed_signers: a file of lines `NAME [namespaces="npukit-skill"] KEYTYPE KEY`.

    Returns:
        The name that the file gives to the key.

    Raises:
        SignatureToolError: signatures cannot be checked here.
        BundleError: the key is not in the file, or the data is not what was signed.
    """
    if not os.path.isfile(allowed_signers):
        raise BundleError(
            "there is no allowed-signers file {}".format(allowed_signers),
            "put the public keys there whose bundles may be installed",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "signature")
        with open(path, "wb") as file:
            file.write(signature)
        found = _call(["find-principals", "-s", path, "-f", allowed_signers], b"")
        names = [line.strip() for line in _text(found.stdout).splitlines() if line.strip()]
        if found.returncode != 0 or not names:
            raise BundleError(
                "the bundle's signer is not allowed: no key of {} made the signature".format(
                    allowed_signers
                ),
                "add the signer's public key there, or sign with an allowed key",
            )
        said = ""
        for name in names:
            checked = _call(
                ["verify", "-n", NAMESPACE, "-I", name, "-s", path, "-f", allowed_signers], data
            )
            if checked.returncode == 0:
                return name
            said = _text(checked.stderr) or _text(checked.stdout)
    raise BundleError(
        "the signature does not fit: {}".format(said.strip().splitlines()[-1] if said else "?"),
        "the bundle was changed after it was signed, or signed for something else",
    )


def _call(arguments: Sequence[str], data: bytes) -> "subprocess.CompletedProcess[bytes]":
    command: List[str] = ["ssh-keygen", "-Y", *arguments]
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, LC_ALL="C"),
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignatureToolError("ssh-keygen does not run: {}".format(error)) from error
    if done.returncode != 0 and any(word in _text(done.stderr).lower() for word in _TOO_OLD):
        raise SignatureToolError(
            "ssh-keygen is too old to check signatures", "OpenSSH 8.2 or later can"
        )
    return done


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
