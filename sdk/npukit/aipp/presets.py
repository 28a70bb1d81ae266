"""The presets of `aipp_configs/`: one table, and the files that are made from it."""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from npukit.aipp.config import AippConfig, AippOp, Mode
from npukit.aipp.lower import COLORS, scaling_fields, source_fields
from npukit.aipp.text import read_config, to_text
from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.errors import AippError, nearest
from npukit.files import replacing

# Word in the name -> layout, and how a reader knows it.
_SOURCES = {
    "nv21": ("nv21", "NV21 camera bytes"),
    "nv12": ("nv12", "NV12 bytes"),
    "rgb": ("rgb888", "RGB bytes"),
    "bgr": ("bgr888", "BGR bytes"),
    "xrgb": ("xrgb8888", "XRGB bytes (X first)"),
    "gray": ("gray8", "gray bytes"),
}
_RANGES = {Range.LIMITED: "narrow", Range.FULL: "wide"}
_MATRICES = {Matrix.BT601: "BT.601", Matrix.BT709: "BT.709"}


class Scaling(NamedTuple):
    """A scaling by its word in the name; three numbers each, in the order R, G, B."""

    words: str
    mean: Tuple[float, ...]
    scale: Tuple[float, ...]


# ImageNet: mean 0.485, 0.456, 0.406 and deviation 0.229, 0.224, 0.225 of channels in 0..1.
_SCALINGS = {
    "0_1": Scaling("in 0..1", (0.0,) * 3, (1 / 255,) * 3),
    "m1_1": Scaling("in -1..1", (127.5,) * 3, (1 / 127.5,) * 3),
    "imagenet": Scaling(
        "scaled as for ImageNet", (123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)
    ),
    "raw": Scaling("in 0..255", (0.0,) * 3, (1.0,) * 3),
}


class Preset(NamedTuple):
    """A row of the table."""

    name: str
    config: AippConfig
    comment: str
    notes: Dict[str, str]

    @property
    def text(self) -> str:
        """What the file holds."""
        return to_text(self.config, self.comment, self.notes)


def presets() -> Dict[str, Preset]:
    """The whole table, by name."""
    return {row.name: row for row in _rows()}


def _rows() -> Iterator[Preset]:
    for source in _SOURCES:
        for to in ("gray",) if source == "gray" else ("rgb", "bgr", "gray"):
            yuv = source in ("nv21", "nv12") and to != "gray"
            for color in COLORS if yuv else [DEFAULT_COLOR]:
                for scaling in _SCALINGS:
                    if not (to == "gray" and scaling == "imagenet"):  # it has no gray
                        yield _preset(source, to, color if yuv else None, scaling)


def _preset(source: str, to: str, color: Optional[Color], scaling: str) -> Preset:
    layout, words = _SOURCES[source]
    name = [source, "to", to]
    said = words
    if color is not None:
        name += [color.matrix.value, _RANGES[color.range]]
        said += " ({}, {} range)".format(_MATRICES[color.matrix], color.range.value)
    row = _SCALINGS[scaling]
    order = {"rgb": (0, 1, 2), "bgr": (2, 1, 0), "gray": (0,)}[to]
    mean, scale = ([values[item] for item in order] for values in (row.mean, row.scale))
    if source == "xrgb" and to != "gray":
        mean, scale = [*mean, 0.0], [*scale, 0.0]  # X means nothing: the network gets 0 for it
    fields = source_fields(layout, to, color or DEFAULT_COLOR)
    fields.update(scaling_fields(mean, scale))
    op = AippOp(aipp_mode=Mode.static, related_input_rank=0, **fields)
    comment = "{} to {} {}.".format(said, to if to == "gray" else to.upper(), row.words)
    return Preset(
        "_".join([*name, scaling]), AippConfig(aipp_op=(op,)), comment, _notes(source, to)
    )


def _notes(source: str, to: str) -> Dict[str, str]:
    notes = {}
    if source == "nv21":
        notes["rbuv_swap_switch"] = (
            "NV21 has V first, YUV420SP_U8 means U first: swapped before anything else."
        )
    elif (source[-3:], to) in (("rgb", "bgr"), ("bgr", "rgb"), ("bgr", "gray")):
        notes["rbuv_swap_switch"] = "R and B change places before anything else."
    if source == "xrgb":
        notes["ax_swap_switch"] = "X goes from the front to the end: R, G, B, X."
        notes["var_reci_chn_3"] = "X carries nothing: the network's fourth channel is 0."
    return notes


def preset_folder() -> str:
    """Where the files are: installed, else the repository's."""
    here = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(here, "_presets")
    if os.path.isdir(installed):
        return installed
    return os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(here))), "aipp_configs")


def preset_names() -> List[str]:
    """Names of the files that are there."""
    try:
        found = os.listdir(preset_folder())
    except OSError:
        return []  # a bundle on a board carries none
    return sorted(name[: -len(".cfg")] for name in found if name.endswith(".cfg"))


def load_preset(name: str) -> AippConfig:
    """Read a preset.

    Args:
        name: such as `nv21_to_rgb_bt601_narrow_0_1`.

    Raises:
        AippError: there is none of that name.
    """
    names = preset_names()
    if name not in names:
        near = nearest(name, names)
        raise AippError(
            "no preset {!r}".format(name),
            where=preset_folder(),
            hint="did you mean {!r}?".format(near) if near else "{} are there".format(len(names)),
        )
    return read_config(os.path.join(preset_folder(), name + ".cfg"))


def write_presets(folder: str) -> List[str]:
    """Write the whole table; gives the names of the files that were not there or differed."""
    changed = []
    for row in presets().values():
        path = os.path.join(folder, row.name + ".cfg")
        if _content(path) != row.text.encode("utf-8"):
            with replacing(path) as temporary, open(temporary, "wb") as file:
                file.write(row.text.encode("utf-8"))
            changed.append(row.name)
    return changed


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
