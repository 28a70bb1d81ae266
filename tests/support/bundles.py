"""Skills to bundle, and bundles put together by hand: whole ones, damaged ones, attacks."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from support.om_files import tiny

from npukit_cli.deploy.onboard.archive import END, Entry, header, padding

SKILL_CODE = """\
from npukit.skill import Skill


class Plain(Skill):
    def process(self, frame):
        return frame
"""
MAIN = """\
from npukit.session import run_skill

if __name__ == "__main__":
    run_skill(__file__)
"""
# A camera's NV21 of 6x4 pixels, as the tiny offline model takes it.
TENSORS = {
    "inputs": {"data": {"shape": [1, 3, 4, 6]}},
    "outputs": {"prob": [1, 4, 4, 6]},
}


def write_skill(folder: Path, **changed: Any) -> Path:
    """A skill for the HiLens Kit with one offline model; `changed` are keys of its manifest."""
    manifest: dict[str, Any] = {
        "name": "plain",
        "title": "Gives back what it gets",
        "version": "1.2.0",
        "entry": "skill.py:Plain",
        "models": {"net": {"ascend310": "model/net.om", "simulator": "model/net.sim", **TENSORS}},
        "boards": ["hilens_kit", "simulator"],
        "capture": {"hilens_kit": "hilens", "simulator": "pattern:64x48,frames=3"},
        "display": {"hilens_kit": "hilens", "simulator": "pictures/"},
        "check_value": "plain",
        **changed,
    }
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "skill.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    (folder / "skill.py").write_text(SKILL_CODE, "utf-8")
    (folder / "main.py").write_text(MAIN, "utf-8")
    (folder / "model" / "net.om").write_bytes(tiny())
    return folder


def manifest_of(files: Mapping[str, bytes], /, **changed: Any) -> dict[str, Any]:
    """A right `bundle.json` for these files; `changed` are fields of it."""
    return {
        "format": 1,
        "name": "small",
        "version": "1.0",
        "title": "",
        "board": "hilens_kit",
        "target": "ascend310",
        "runtime": "hilens",
        "npukit": "0.1.0",
        "entry": "main.py",
        "requires": {"python": "3.7", "firmware": "", "memory": 0},
        "models": {},
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
        **changed,
    }


def part(name: str, data: bytes, size: int | None = None) -> bytes:
    """A file in the archive, in the canonical form; `size` is what its header says."""
    return header(Entry(name, len(data) if size is None else size)) + data + padding(len(data))


def strange(name: str, kind: bytes, link: str = "", form: int = tarfile.USTAR_FORMAT) -> bytes:
    """An entry that is no plain file, as tar writes it."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry.tobuf(form)


def packed(parts: Iterable[bytes], end: bytes = END) -> bytes:
    """An archive of these parts."""
    return gzip.compress(b"".join(parts) + end, mtime=0)


def forged(
    files: Mapping[str, bytes],
    /,
    extra: Iterable[bytes] = (),
    text: bytes | None = None,
    **changed: Any,
) -> bytes:
    """A bundle with right sums; `extra` parts at its end, `text` in place of its manifest."""
    if text is None:
        text = json.dumps(manifest_of(files, **changed)).encode()
    parts = [part(name, files[name]) for name in sorted(files)]
    return packed([part("bundle.json", text), *parts, *extra])


def members(bundle: bytes) -> dict[str, bytes]:
    """The files of a bundle, as Python's tarfile reads it."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        found = {}
        for entry in archive:
            opened = archive.extractfile(entry)
            assert opened is not None, entry.name
            found[entry.name] = opened.read()
        return found
