"""Boards and targets as data: `boards/*.json`, `targets/*.json`.

Every figure carries its unit and its source. A figure that nobody publishes is None, and its
source says what was looked for; one that has no meaning for a profile is None and says why.
The loader is strict: keys, units and sources are checked before anything is returned.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

from npukit.errors import ConfigError, check_keys, did_you_mean

_HERE = os.path.dirname(os.path.abspath(__file__))
_NO_VALUE = ("not published: ", "not applicable: ")
_VERSION = "version specifier"
_NUMERIC = ("GiB", "GB/s", "TFLOPS", "TOPS", "px", "Hz", "channels", "B", "magnitude")

# Key -> unit. The unit is part of the schema, so code that reads a figure need not parse it;
# it also says whether the value is a number (`_NUMERIC`) or a text.
_BOARD = {
    "compilers": "compilers",
    "soc_version": "atc --soc_version",
    "memory": "GiB",
    "ddr_bandwidth": "GB/s",
    "python": _VERSION,
    "opencv": _VERSION,
    "numpy": _VERSION,
    "cpu": "processor",
}
_CAMERA = {"width": "px", "height": "px", "format": "pixel format", "fps": "Hz"}
_DISPLAY = {"connector": "connector", "width": "px", "height": "px", "fps": "Hz"}
_TARGET = {
    "soc_versions": "atc --soc_version",
    "input_formats": "AIPP input_format",
    "suffix": "file name suffix",
}
# Tables: a profile states the entries it has.
_PEAK = {"fp32": "TFLOPS", "fp16": "TFLOPS", "int8": "TOPS"}
_ROUTES = {"caffe": "compilers", "onnx": "compilers"}
_OPERATORS = {"caffe": "operator tables", "onnx": "operator tables"}
_COST = {"ddr_bandwidth": "GB/s", "copy_bandwidth": "GB/s"}
_CHANNEL_BLOCK = {"fp32": "channels", "fp16": "channels", "int8": "channels"}
_LIMITS = {
    "aipp_width": "px",
    "aipp_height": "px",
    "aipp_padding_max": "px",
    "aipp_padded_width_max": "px",
    "yuv420sp_alignment": "px",
    "vpc_width": "px",
    "vpc_height": "px",
    "vpc_stride_width": "px",
    "vpc_stride_height": "px",
    "tensor_alignment": "B",
    "weight_alignment": "B",
    "fp16_max": "magnitude",
}
RUNTIMES = ("ascend", "hilens", "simulator")


@dataclass(frozen=True)
class Figure:
    """One published value.

    Attributes:
        value: number, text or tuple of either; a tuple of two numbers is an inclusive range;
            None if nobody publishes it or it does not apply.
        unit: fixed by the schema, e.g. "GB/s".
        source: citation; for None it starts with "not published: " or "not applicable: ".
    """

    value: Any
    unit: str
    source: str

    def number(self) -> float:
        """The value, for arithmetic in `unit`.

        Raises:
            ConfigError: it is None, a text or a range; the message gives the source.
        """
        if not isinstance(self.value, (int, float)):
            raise ConfigError("no single number in {}".format(self.unit), hint=self.source)
        return float(self.value)


@dataclass(frozen=True)
class Camera:
    """What the board's camera delivers by default: size in pixels, format, frames per second."""

    width: Figure
    height: Figure
    format: Figure
    fps: Figure


@dataclass(frozen=True)
class Display:
    """The board's video output: connector, size in pixels, frames per second."""

    connector: Figure
    width: Figure
    height: Figure
    fps: Figure


@dataclass(frozen=True)
class Board:
    """A board: target, memory, camera, display, software and cost-model figures.

    Attributes:
        name: file stem, used on the command line.
        target: name of its target.
        runtime: "hilens" (vendor module), "ascend" (pyACL) or "simulator".
        compilers: those whose offline models it loads.
        soc_version: what `atc --soc_version` takes for it.
        peak: precision -> throughput of this board, TFLOPS (fp) or TOPS (int).
        memory: of the NPU, GiB.
        ddr_bandwidth: of the NPU's memory, GB/s (10**9 bytes a second).
        cost: what the cost model takes besides: `ddr_bandwidth`, a named stand-in where the
            board's own is not published; `copy_bandwidth` between CPU and NPU.
        python, opencv, numpy: version specifiers (PEP 440).
        cpu: the processor that runs Python.
        notes: conflicts between sources, and what a figure does not say.
    """

    name: str
    title: str
    target: str
    runtime: str
    compilers: Figure
    soc_version: Figure
    peak: Mapping[str, Figure]
    memory: Figure
    ddr_bandwidth: Figure
    cost: Mapping[str, Figure]
    camera: Camera
    display: Display
    python: Figure
    opencv: Figure
    numpy: Figure
    cpu: Figure
    notes: Tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A chip family the conversion can end at.

    Attributes:
        name: file stem, used on the command line.
        peak: precision -> highest throughput of the chip, TFLOPS (fp) or TOPS (int).
        routes: model format ("caffe", "onnx") -> compilers that read it.
        operators: model format -> names of `operator_tables`, oldest compiler first.
        soc_versions: values of `atc --soc_version`.
        input_formats: image formats the preprocessing unit takes.
        channel_block: precision -> channels per block (C0); channel counts are padded to it.
        limits: name -> limit; only those that are known.
        suffix: of an offline model's file name.
        notes: conflicts between sources, and what a figure does not say.
    """

    name: str
    title: str
    vendor: str
    peak: Mapping[str, Figure]
    routes: Mapping[str, Figure]
    operators: Mapping[str, Figure]
    soc_versions: Figure
    input_formats: Figure
    channel_block: Mapping[str, Figure]
    limits: Mapping[str, Figure]
    suffix: Figure
    notes: Tuple[str, ...]


def boards() -> Tuple[str, ...]:
    """Names of all boards, sorted."""
    return _names("boards")


def targets() -> Tuple[str, ...]:
    """Names of all targets, sorted."""
    return _names("targets")


def load_board(name: str) -> Board:
    """Read and check `boards/NAME.json`.

    Raises:
        ConfigError: there is no such board, or its file is wrong; names file and key.
    """
    data, where = _read("boards", name)
    words = ("name", "title", "target", "runtime", "notes")
    _check(data, (*words, "peak", "cost", "camera", "display", *_BOARD), where)
    return Board(
        name=_text(data, "name", where, (name,)),
        title=_text(data, "title", where),
        target=_text(data, "target", where, targets()),
        runtime=_text(data, "runtime", where, RUNTIMES),
        peak=_table(data["peak"], _PEAK, where + ": peak"),
        cost=_table(data["cost"], _COST, where + ": cost"),
        camera=Camera(**_record(data["camera"], _CAMERA, where + ": camera")),
        display=Display(**_record(data["display"], _DISPLAY, where + ": display")),
        notes=_notes(data, where),
        **_record({key: data[key] for key in _BOARD}, _BOARD, where),
    )


def load_target(name: str) -> Target:
    """Read and check `targets/NAME.json`.

    Raises:
        ConfigError: there is no such target, or its file is wrong; names file and key.
    """
    data, where = _read("targets", name)
    words = ("name", "title", "vendor", "notes")
    tables = ("peak", "routes", "operators", "channel_block", "limits")
    _check(data, (*words, *tables, *_TARGET), where)
    return Target(
        name=_text(data, "name", where, (name,)),
        title=_text(data, "title", where),
        vendor=_text(data, "vendor", where),
        peak=_table(data["peak"], _PEAK, where + ": peak"),
        routes=_table(data["routes"], _ROUTES, where + ": routes"),
        operators=_table(data["operators"], _OPERATORS, where + ": operators"),
        channel_block=_table(data["channel_block"], _CHANNEL_BLOCK, where + ": channel_block"),
        limits=_table(data["limits"], _LIMITS, where + ": limits"),
        notes=_notes(data, where),
        **_record({key: data[key] for key in _TARGET}, _TARGET, where),
    )


def _names(kind: str) -> Tuple[str, ...]:
    files = os.listdir(os.path.join(_HERE, kind))
    return tuple(sorted(stem for stem, suffix in map(os.path.splitext, files) if suffix == ".json"))


def _read(kind: str, name: str) -> Tuple[Any, str]:
    """The file's content, and its name for messages."""
    known = _names(kind)
    if name not in known:
        raise ConfigError("unknown {} {!r}".format(kind[:-1], name), hint=did_you_mean(name, known))
    where = "{}/{}.json".format(kind, name)
    with open(os.path.join(_HERE, kind, name + ".json"), encoding="utf-8") as file:
        try:
            return json.load(file), where
        except ValueError as error:
            raise ConfigError("not valid JSON: {}".format(error), where=where) from error


def _check(data: Any, keys: Tuple[str, ...], where: str, required: bool = True) -> None:
    """Refuse what is not an object with these keys."""
    if not isinstance(data, dict):
        raise ConfigError("must be an object", where=where)
    check_keys(data, keys, where, keys if required else ())


def _text(data: Mapping[str, Any], key: str, where: str, known: Tuple[str, ...] = ()) -> str:
    """A text that is not empty, one of `known` if given."""
    text = data[key]
    if not isinstance(text, str) or not text:
        raise ConfigError("{!r} must be a text".format(key), where=where)
    if known and text not in known:
        raise ConfigError(
            "unknown {} {!r}".format(key, text), where=where, hint=did_you_mean(text, known)
        )
    return text


def _notes(data: Mapping[str, Any], where: str) -> Tuple[str, ...]:
    notes = data["notes"]
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise ConfigError("'notes' must be a list of texts", where=where)
    return tuple(notes)


def _record(data: Any, units: Mapping[str, str], where: str) -> Dict[str, Figure]:
    """Figures under exactly the keys of `units`."""
    _check(data, tuple(units), where)
    return _table(data, units, where)


def _table(data: Any, units: Mapping[str, str], where: str) -> Dict[str, Figure]:
    """Figures under some of the keys of `units`."""
    _check(data, tuple(units), where, required=False)
    return {key: _figure(data[key], units[key], "{}: {}".format(where, key)) for key in data}


def _figure(data: Any, unit: str, where: str) -> Figure:
    _check(data, ("value", "unit", "source"), where)
    if data["unit"] != unit:
        raise ConfigError("unit {!r}, must be {!r}".format(data["unit"], unit), where=where)
    value, source = data["value"], _text(data, "source", where)
    if (value is None) != source.startswith(_NO_VALUE):
        raise ConfigError(
            "value null and a source that starts with {!r} or {!r} go together".format(*_NO_VALUE),
            where=where,
        )
    items = value if isinstance(value, list) else [value]
    fits = _is_number if unit in _NUMERIC else _is_word
    if value is not None and not (items and all(map(fits, items))):
        kind = "number" if unit in _NUMERIC else "text"
        raise ConfigError("value must be a {0} or a list of {0}s".format(kind), where=where)
    return Figure(tuple(value) if isinstance(value, list) else value, unit, source)


def _is_number(item: Any) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool)


def _is_word(item: Any) -> bool:
    return isinstance(item, str) and item != ""
