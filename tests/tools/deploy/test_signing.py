"""Signatures: made by a real ssh-keygen, checked by a real ssh-keygen."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from support.bundles import manifest_of, members, packed, part, write_skill

from npukit_cli.deploy.bundle import Bundle, make_bundle
from npukit_cli.deploy.errors import SigningError
from npukit_cli.deploy.onboard import signatures
from npukit_cli.deploy.onboard.bundle_files import (
    BundleError,
    SignatureToolError,
    unpack,
    verify,
)
from npukit_cli.deploy.signing import allowed_signer, fingerprint, made_by, sign

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="NOT CHECKED: signatures. ssh-keygen is not here"
)
FORGED = {"main.py": b"evil()\n"}


class Keys(NamedTuple):
    """Two developers' keys, and a board that takes bundles of the first."""

    ours: Path
    theirs: Path
    allowed: Path


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", path], check=True
    )
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    ours, theirs = make_key(folder / "ours"), make_key(folder / "theirs")
    allowed = folder / "allowed_signers"
    allowed.write_text("# who may\n" + allowed_signer("dev@example.com", folder / "ours.pub"))
    return Keys(ours, theirs, allowed)


@pytest.fixture(scope="module")
def signed(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = write_skill(tmp_path_factory.mktemp("signed") / "skill")
    return make_bundle(folder, "hilens_kit", keys.ours)


def refused(folder: Path, data: bytes, allowed: Path) -> str:
    path = folder / "given.skill"
    path.write_bytes(data)
    with pytest.raises(BundleError) as caught:
        unpack(str(path), str(folder / "new"), allowed_signers=str(allowed))
    assert [item.name for item in folder.iterdir()] == ["given.skill"]
    return str(caught.value)


def test_a_signed_bundle(signed: Bundle, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "x.skill"
    path.write_bytes(signed.data)
    assert signed.signed
    assert verify(str(path))["signed_by"] is None  # nobody asked
    found = unpack(str(path), str(tmp_path / "new"), allowed_signers=str(keys.allowed))
    assert found == {**signed.manifest, "signed_by": "dev@example.com"}
    assert (tmp_path / "new" / "bundle.json.sig").read_bytes().startswith(b"-----BEGIN SSH")


def test_signed_bundles_are_reproducible(signed: Bundle, keys: Keys, tmp_path: Path) -> None:
    again = make_bundle(write_skill(tmp_path / "skill"), "hilens_kit", keys.ours)
    assert again.data == signed.data


def test_the_key_of_another(keys: Keys, tmp_path: Path) -> None:
    text = sign_parts(FORGED, keys.theirs)
    assert "the bundle's signer is not allowed" in refused(tmp_path, text, keys.allowed)


def sign_parts(files: dict[str, bytes], key: Path) -> bytes:
    text = json.dumps(manifest_of(files)).encode()
    signature = sign(text, key)
    return packed(
        [part("bundle.json", text), part("bundle.json.sig", signature),
         *(part(name, files[name]) for name in sorted(files))]
    )  # fmt: skip


def test_changed_after_signing(signed: Bundle, keys: Keys, tmp_path: Path) -> None:
    """The sums are made right again; the signature is the old one."""
    found = members(signed.data)
    signature = found.pop("bundle.json.sig")
    manifest = json.loads(found.pop("bundle.json"))
    found["main.py"] = FORGED["main.py"]
    manifest["files"]["main.py"] = manifest_of(FORGED)["files"]["main.py"]
    parts = [part("bundle.json", json.dumps(manifest).encode()), part("bundle.json.sig", signature)]
    parts += [part(name, found[name]) for name in sorted(found)]
    data = packed(parts)
    assert "the signature does not fit" in refused(tmp_path, data, keys.allowed)
    (tmp_path / "given.skill").write_bytes(data)
    verify(str(tmp_path / "given.skill"))  # whole as it is: the signature alone tells


def test_a_changed_file_with_the_old_manifest(signed: Bundle, keys: Keys, tmp_path: Path) -> None:
    found = members(signed.data)
    found["main.py"] = bytes(len(found["main.py"]))
    first = ("bundle.json", "bundle.json.sig")
    parts = [part(name, found.pop(name)) for name in first]
    parts += [part(name, found[name]) for name in sorted(found)]
    assert "SHA-256 of 'main.py' is wrong" in refused(tmp_path, packed(parts), keys.allowed)


def test_without_a_signature(keys: Keys, tmp_path: Path) -> None:
    data = make_bundle(write_skill(tmp_path / "skill"), "hilens_kit").data
    shutil.rmtree(tmp_path / "skill")
    assert "the bundle is not signed" in refused(tmp_path, data, keys.allowed)


def test_a_signature_for_something_else(keys: Keys, tmp_path: Path) -> None:
    """The key is right, but what it signed was a file or a commit."""
    text = json.dumps(manifest_of(FORGED)).encode()
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", "file", "-f", keys.ours],
        input=text, capture_output=True, check=True,
    )  # fmt: skip
    free = tmp_path / "allowed"
    free.write_text("dev@example.com " + keys.ours.with_suffix(".pub").read_text())
    parts = [part("bundle.json", text), part("bundle.json.sig", done.stdout)]
    data = packed([*parts, part("main.py", FORGED["main.py"])])
    folder = tmp_path / "place"
    folder.mkdir()
    for allowed in (keys.allowed, free):
        assert "the signature does not fit" in refused(folder, data, allowed)
        (folder / "given.skill").unlink()


@pytest.mark.parametrize("signature", [b"", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", b"\0" * 99])
def test_a_signature_that_is_none(keys: Keys, tmp_path: Path, signature: bytes) -> None:
    text = json.dumps(manifest_of(FORGED)).encode()
    parts = [part("bundle.json", text), part("bundle.json.sig", signature)]
    data = packed([*parts, part("main.py", FORGED["main.py"])])
    assert "not allowed" in refused(tmp_path, data, keys.allowed)


@pytest.mark.parametrize("content", [None, "", "what is this\n"], ids=["none", "empty", "text"])
def test_a_board_without_allowed_signers(
    signed: Bundle, tmp_path: Path, content: str | None
) -> None:
    allowed = tmp_path / "place" / "allowed"
    allowed.parent.mkdir()
    if content is not None:
        allowed.write_text(content)
    folder = tmp_path / "other"
    folder.mkdir()
    said = refused(folder, signed.data, allowed)
    assert ("no allowed-signers file" if content is None else "not allowed") in said


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_keys(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / kind, kind)
    (tmp_path / "allowed").write_text(allowed_signer("dev", key.with_suffix(".pub")))
    assert signatures.signer(b"data", sign(b"data", key), str(tmp_path / "allowed")) == "dev"


def test_who_made_it(keys: Keys) -> None:
    said = made_by(b"data", sign(b"data", keys.ours))
    assert said == f"ED25519 key {fingerprint(keys.ours)}"
    with pytest.raises(SigningError, match="does not fit"):
        made_by(b"date", sign(b"data", keys.ours))


# --- what goes wrong while signing ---------------------------------------------------------------


def test_no_such_key(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="there is no such key"):
        sign(b"", tmp_path / "none")


def test_a_file_that_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hello")
    with pytest.raises(SigningError, match="the key does not sign"):
        sign(b"", tmp_path / "key")
    with pytest.raises(SigningError, match="not a key"):
        fingerprint(tmp_path / "key")


def test_a_passphrase_that_nobody_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key(tmp_path / "key", passphrase="secret words")  # noqa: S106
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    with pytest.raises(SigningError, match="the key does not sign"):
        sign(b"", key)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "*", "!x", "x\ny"])
def test_a_name_that_would_mean_more_than_one_signer(keys: Keys, name: str) -> None:
    with pytest.raises(SigningError, match="is no name for a signer"):
        allowed_signer(name, keys.ours.with_suffix(".pub"))


def test_a_public_key_that_is_none(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="not a public key"):
        allowed_signer("dev", keys.ours)
    with pytest.raises(SigningError, match="cannot be read"):
        allowed_signer("dev", tmp_path / "none")


# --- boards whose ssh-keygen cannot check --------------------------------------------------------


@pytest.fixture(params=["missing", "OpenSSH 7.8", "OpenSSH 8.1"])
def old_board(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PATH without ssh-keygen; or a stand-in that answers as old ones do."""
    said = {
        "OpenSSH 7.8": "unknown option -- Y\nusage: ssh-keygen [-q] [-b bits]",
        "OpenSSH 8.1": 'Unsupported operation for -Y: "find-principals"',
    }
    (tmp_path / "bin").mkdir()
    if request.param in said:
        program = tmp_path / "bin" / "ssh-keygen"
        program.write_text(f"#!/bin/sh\necho '{said[request.param]}' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_the_host_s_ssh_keygen_can_check() -> None:
    assert signatures.can_check()


@pytest.mark.usefixtures("old_board")
def test_an_old_board_says_that_it_cannot_check(signed: Bundle, keys: Keys, tmp_path: Path) -> None:
    assert not signatures.can_check()
    path = tmp_path / "x.skill"
    path.write_bytes(signed.data)
    with pytest.raises(SignatureToolError):
        verify(str(path), allowed_signers=str(keys.allowed))
    assert verify(str(path), sha256=signed.sha256)["signed_by"] is None
