"""Signatures with the developer's SSH key: `ssh-keygen -Y sign`."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from npukit_cli.deploy.errors import SigningError
from npukit_cli.deploy.onboard.signatures import NAMESPACE


def sign(data: bytes, key: Path) -> bytes:
    """The signature of `data`, in OpenSSH's armoured form.

    Equal data and key give equal bytes with Ed25519 and RSA keys.

    Args:
        data: to be signed.
        key: a private key; or a public one whose private half ssh-agent has. A passphrase is
            asked for at the terminal.

    Raises:
        SigningError: no such key, a wrong passphrase, or ssh-keygen is missing or too old.
    """
    key = key.expanduser()
    if not key.is_file():
        raise SigningError(
            "there is no such key", where=str(key), hint="make one: ssh-keygen -t ed25519"
        )
    done = _call("-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key), data=data)
    if done.returncode != 0 or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SigningError(
            f"the key does not sign: {said[-1] if said else f'exit code {done.returncode}'}",
            where=str(key),
            hint="give an SSH private key; one with a passphrase can be in ssh-agent, then give "
            "its .pub",
        )
    return done.stdout


def made_by(data: bytes, signature: bytes) -> str:
    """Type and fingerprint of the key that made a signature, which is checked against `data`.

    That says nothing of whose key it is.

    Raises:
        SigningError: the signature does not fit.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        done = _call("-Y", "check-novalidate", "-n", NAMESPACE, "-s", file.name, data=data)
    found = re.search(rb"with (\S+) key (\S+)", done.stdout)
    if done.returncode != 0 or not found:
        raise SigningError("the signature does not fit what was signed")
    return f"{found[1].decode()} key {found[2].decode()}"


def allowed_signer(name: str, public_key: Path) -> str:
    """A line of a board's allowed-signers file, which lets a key sign bundles and nothing else.

    Args:
        name: of the signer, such as an e-mail address.
        public_key: the .pub file.

    Raises:
        SigningError: the file cannot be read, or the name or the key is none.
    """
    try:
        words = public_key.expanduser().read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise SigningError("the public key cannot be read", where=str(public_key)) from error
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise SigningError("not a public key of SSH", where=str(public_key), hint="give the .pub")
    if not name or any(sign in name for sign in ' \t\n\r",*?!#'):
        raise SigningError(
            f"{name!r} is no name for a signer", hint="one word, such as an e-mail address"
        )
    return f'{name} namespaces="{NAMESPACE}" {words[0]} {words[1]}\n'


def fingerprint(key: Path) -> str:
    """The fingerprint of a key, as `ssh-keygen -l` shows it.

    Raises:
        SigningError: the file is no key.
    """
    done = _call("-l", "-f", str(key.expanduser()))
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode != 0 or len(words) < 2:
        raise SigningError("not a key of SSH", where=str(key))
    return words[1]


def _call(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise SigningError(
            f"ssh-keygen does not run: {error.strerror}", hint="install OpenSSH's client"
        ) from error
