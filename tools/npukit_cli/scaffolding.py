"""A new skill: a template with another name, and the bundled network and clip to start from."""

from __future__ import annotations

import keyword
import os
import shutil
import tempfile
from pathlib import Path

from npukit.errors import ConfigError, did_you_mean
from npukit.preprocess import Preprocess
from npukit.runtime.build import read_build, write_build
from npukit.runtime.declaration import InputSpec
from npukit_cli.skills import bundled_root

# Every template is itself a skill of this name, so that it can be read and checked as it stands.
_NAME, _CLASS, _CHECK_VALUE = "my_skill", "MySkill", "myskill"
_TEXT = (".py", ".yaml", ".md")


def styles() -> list[str]:
    """The names of the templates."""
    return sorted(path.name for path in (bundled_root() / "template").iterdir() if path.is_dir())


def scaffold(name: str, style: str, parent: Path) -> Path:
    """Make a skill's folder; nothing is left behind when that fails.

    Args:
        name: of the skill and of its folder.
        style: of the template, see `styles`.
        parent: the folder to put it in.

    Raises:
        ConfigError: the name is no identifier, the style unknown, or the folder exists.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise ConfigError(
            f"{name!r} is no name for a skill",
            hint="letters, digits and underscores, not starting with a digit: as in my_skill",
        )
    if style not in styles():
        raise ConfigError(f"unknown style {style!r}", hint=did_you_mean(style, styles()))
    target = parent / name
    if target.exists():
        raise ConfigError(
            "the folder exists already: nothing is overwritten",
            where=str(target),
            hint="give another name, or another place with --in FOLDER",
        )
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as scratch:
            made = Path(scratch) / name
            shutil.copytree(
                bundled_root() / "template" / style,
                made,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
            )
            _rename(made, name)
            _add_network(made, style)
            _add_clip(made, style)
            os.rename(made, target)  # noqa: PTH104 - fails when the folder has come to exist
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(target)) from error
    return target


def _rename(folder: Path, name: str) -> None:
    words = {
        _NAME: name,
        _CLASS: "".join(part[:1].upper() + part[1:] for part in name.split("_")) or "Skill",
        _CHECK_VALUE: name.replace("_", "").lower(),
    }
    for path in folder.rglob("*"):
        if path.suffix in _TEXT:
            text = path.read_text(encoding="utf-8")
            for old, new in words.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")


def _add_network(folder: Path, style: str) -> None:
    """The bundled network as .onnx, to be replaced, and as the build that the skill loads."""
    build = read_build(str(bundled_root() / "portrait_matting/model/selfie_landscape.sim"))
    (folder / "model/network.onnx").write_bytes(build.onnx)
    spec = build.inputs["image"]
    if style == "hilens" and spec.preprocess is not None:
        declared = {**spec.preprocess.to_dict(), "source": "rgb888"}
        spec = InputSpec(spec.shape, Preprocess.from_dict(declared))
    suffix = "om" if style == "hilens" else "sim"
    made = type(build)("network", {"image": spec}, build.outputs, build.onnx, record=build.record)
    write_build(str(folder / f"model/network.{suffix}"), made)


def _add_clip(folder: Path, style: str) -> None:
    assets = bundled_root() / "portrait_matting/assets"
    clip = folder / ("test/camera0.mp4" if style == "hilens" else "assets/demo.mp4")
    clip.parent.mkdir(exist_ok=True)
    shutil.copyfile(assets / "demo.mp4", clip)
    if style == "hilens":
        (folder / "data").mkdir(exist_ok=True)
        shutil.copyfile(assets / "background.jpg", folder / "data/background.jpg")
