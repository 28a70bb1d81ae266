"""What `npukit bundle` does: choose the board, make the file, put it where it is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from npukit.errors import ConfigError
from npukit.files import replacing
from npukit.profiles import load_board
from npukit_cli.deploy import export_hilens
from npukit_cli.deploy.bundle import choose_board, make_bundle
from npukit_cli.deploy.payload import skill_manifest
from npukit_cli.deploy.signing import fingerprint
from npukit_cli.skills import find_skill


@dataclass(frozen=True)
class Order:
    """The command line of `npukit bundle`."""

    skill: str
    board: str | None = None
    target: str | None = None
    out: str | None = None
    sign: str | None = None
    hilens_export: bool = False


@dataclass(frozen=True)
class Made:
    """The file that was made.

    Attributes:
        kind: in words.
        files: how many are in it; None where it is for the vendor's console.
        memory: bytes of the NPU's memory that the models need.
        signed_by: fingerprint of the key.
    """

    file: str
    kind: str
    name: str
    version: str
    board: str
    target: str
    bytes: int
    sha256: str
    files: int | None = None
    memory: int | None = None
    signed_by: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain data, for JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The same in words."""
        yield f"{self.file}: {self.kind}, {self.name} {self.version} for {self.board}"
        size = f"  {self.bytes:,} bytes"
        yield f"{size}, {self.files} files" if self.files else size
        yield f"  sha256 {self.sha256}"
        if self.files:
            yield f"  signed by {self.signed_by}" if self.signed_by else "  not signed"


def execute(order: Order) -> Made:
    """Make the file.

    Raises:
        NpukitError: see `make_bundle` and `export`; nothing is written, an older file stays.
    """
    folder = find_skill(order.skill)
    return _export(folder, order) if order.hilens_export else _bundle(folder, order)


def _bundle(folder: Path, order: Order) -> Made:
    board = choose_board(folder, order.target, order.board)
    key = Path(order.sign).expanduser() if order.sign else None
    made = make_bundle(folder, board, key)
    path = _place(order.out, made.file_name)
    _write(path, made.data)
    return Made(
        file=str(path),
        kind="bundle",
        name=made.name,
        version=made.version,
        board=board,
        target=made.manifest["target"],
        bytes=len(made.data),
        sha256=made.sha256,
        files=len(made.manifest["files"]),
        memory=made.manifest["requires"]["memory"],
        signed_by=fingerprint(key) if key else None,
    )


def _export(folder: Path, order: Order) -> Made:
    if order.sign:
        raise ConfigError("the vendor's console takes no signature", hint="leave out --sign")
    manifest = skill_manifest(folder)
    kits = [name for name in manifest.boards if load_board(name).runtime == export_hilens.RUNTIME]
    chosen = kits[0] if len(kits) == 1 and not (order.board or order.target) else None
    board = chosen or choose_board(folder, order.target, order.board)
    path = _place(order.out, f"{manifest.name}-{manifest.version}.zip")
    form = next((form for form in export_hilens.FORMATS if path.name.endswith(form)), None)
    if form is None:
        raise ConfigError(
            "the console takes .zip and .tar.gz", where=str(path), hint="name the file so"
        )
    data = export_hilens.export(folder, board, form)
    _write(path, data)
    return Made(
        file=str(path),
        kind="archive for the HiLens console",
        name=manifest.name,
        version=manifest.version,
        board=board,
        target=load_board(board).target,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _place(out: str | None, name: str) -> Path:
    if out is None:
        return Path(name)
    path = Path(out)
    return path / name if path.is_dir() or out.endswith("/") else path


def _write(path: Path, data: bytes) -> None:
    try:
        with replacing(str(path)) as temporary:
            Path(temporary).write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error
