"""The manifest of a skill: `skill.yaml` on the host, the same as `skill.json` on a board."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from npukit.errors import ConfigError, check_keys, did_you_mean
from npukit.runtime.declaration import Declaration
from npukit.shipping import Requirements, Shipped

MANIFESTS = ("skill.yaml", "skill.json")
_TYPES = ("bool", "int", "float", "str", "choice")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Parameter(NamedTuple):
    """A setting of a skill.

    Attributes:
        type: bool, int, float, str or choice.
        default: used when nothing is given.
        help: one line.
        choices: the values of a choice.
        minimum, maximum: of a number, inclusive.
        selects: for a choice, the model that each value needs; other models of such a
            parameter are not loaded.
    """

    name: str
    type: str
    default: Any
    help: str
    choices: Tuple[str, ...] = ()
    minimum: Optional[float] = None
    maximum: Optional[float] = None
    selects: Mapping[str, str] = {}

    def parse(self, value: Any) -> Any:
        """The value, checked; text (from a command line) becomes the parameter's type.

        Raises:
            ConfigError: says what is allowed.
        """
        where = "parameter {}".format(self.name)
        if self.type == "bool":
            return _parse_bool(value, where)
        if self.type == "choice":
            if str(value) not in self.choices:
                raise ConfigError(
                    "{!r} is not a choice".format(value),
                    where=where,
                    hint=did_you_mean(str(value), self.choices),
                )
            return str(value)
        if self.type == "str":
            return _text(value, where, "the value")
        return self._parse_number(value, where)

    def _parse_number(self, value: Any, where: str) -> Any:
        try:
            number = int(value) if self.type == "int" else float(value)
        except (TypeError, ValueError, OverflowError):
            raise ConfigError("{!r} is no {}".format(value, self.type), where=where) from None
        if isinstance(value, bool) or (isinstance(value, float) and value != number):
            raise ConfigError("{!r} is no {}".format(value, self.type), where=where)
        low = float("-inf") if self.minimum is None else self.minimum
        high = float("inf") if self.maximum is None else self.maximum
        if not low <= number <= high:
            raise ConfigError("{} is not in [{:g}, {:g}]".format(value, low, high), where=where)
        return number


class Manifest(NamedTuple):
    """What a skill says of itself.

    Attributes:
        folder: of the skill; the paths below are relative to it.
        entry: `FILE.py:CLASS`.
        models: by name, the file for each target.
        tensors: by model, what it takes and gives, where the manifest says it.
        boards: names of boards that it runs on, the first by default.
        capture, display: default source and sink of each board.
        truth: an exact alpha video for the simulator's default source, or None.
        check_value: what the HiLens console has for the skill.
        requires: what a board must have.
        bundle: which files go to a board.
    """

    folder: str
    name: str
    title: str
    version: str
    entry: str
    models: Mapping[str, Mapping[str, str]]
    boards: Tuple[str, ...]
    capture: Mapping[str, str]
    display: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    tensors: Mapping[str, Declaration]
    truth: Optional[str] = None
    check_value: str = ""
    requires: Requirements = Requirements()
    bundle: Shipped = Shipped()

    def path(self, name: str) -> str:
        """The path of a file of the skill."""
        return os.path.join(self.folder, name)

    def asset(self, text: str) -> str:
        """The path of a file of the skill if there is one, else `text` as it is."""
        path = self.path(text)
        return path if os.path.exists(path) else text

    def settings(self, given: Mapping[str, Any]) -> Dict[str, Any]:
        """A value for every parameter: the given ones checked, the others by default.

        Raises:
            ConfigError: an unknown parameter or a value that is not allowed.
        """
        check_keys(given, self.parameters, "parameters of {}".format(self.name))
        return {
            name: parameter.parse(given.get(name, parameter.default))
            for name, parameter in self.parameters.items()
        }

    def needed_models(self, settings: Mapping[str, Any]) -> Tuple[str, ...]:
        """The models to load: those that a setting selects, and those no parameter selects."""
        selecting = [item for item in self.parameters.values() if item.selects]
        chosen = {item.selects[settings[item.name]] for item in selecting}
        optional = {model for item in selecting for model in item.selects.values()}
        return tuple(name for name in self.models if name in chosen or name not in optional)


def read_manifest(folder: str) -> Manifest:
    """Read `skill.yaml` or `skill.json` of a skill's folder.

    Raises:
        ConfigError: no manifest, or a wrong one; names the file, the key and the nearest key.
    """
    path, data = manifest_data(folder)
    return parse_manifest(data, folder, path)


def manifest_data(folder: str) -> Tuple[str, Dict[str, Any]]:
    """The manifest's file and what is written in it, not yet checked.

    Raises:
        ConfigError: no manifest, or one that holds no mapping.
    """
    for name in MANIFESTS:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path, _read_mapping(path)
    raise ConfigError(
        "the folder holds no skill.yaml", where=folder, hint="name a skill or its folder"
    )


def _read_mapping(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".json"):
            data = json.loads(text)
        else:
            try:
                import yaml
            except ImportError as error:
                raise ConfigError(
                    "reading YAML needs PyYAML: {}".format(error),
                    where=path,
                    hint="boards take the same content as skill.json",
                ) from error
            try:
                data = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError(str(error)) from error
    except ValueError as error:
        raise ConfigError("cannot be read: {}".format(error), where=path) from error
    if not isinstance(data, dict):
        raise ConfigError("a manifest is a mapping", where=path)
    return data


def parse_manifest(data: Mapping[str, Any], folder: str, path: str) -> Manifest:
    """A manifest from what is written in it.

    Args:
        data: keys and values.
        folder: of the skill.
        path: of the manifest, for messages.

    Raises:
        ConfigError: names the wrong key and the nearest known one.
    """
    required = ("name", "version", "entry", "models", "boards", "capture", "display")
    known = (*required, "title", "parameters", "truth", "check_value", "requires", "bundle")
    check_keys(data, known, path, required=required)
    models: Dict[str, Dict[str, str]] = {}
    tensors: Dict[str, Declaration] = {}
    for name, item in _mapping(data["models"], path, "models").items():
        files = dict(_mapping(item, path, name))
        said = {key: files.pop(key) for key in Declaration._fields if key in files}
        if said:
            tensors[str(name)] = Declaration.from_dict(said, "{}, model {}".format(path, name))
        models[str(name)] = {
            str(target): _text(file, path, "the file of model {}".format(name))
            for target, file in files.items()
        }
    parameters = {
        str(name): _parameter(str(name), _mapping(item, path, name), path, models)
        for name, item in _mapping(data.get("parameters") or {}, path, "parameters").items()
    }
    if not isinstance(data["boards"], (list, tuple)) or not data["boards"]:
        raise ConfigError("boards must be a list of names", where=path)
    boards = tuple(_text(board, path, "a board") for board in data["boards"])
    texts = {
        key: _text(data[key], path, key)
        for key in ("name", "version", "entry", "title", "truth", "check_value")
        if data.get(key) is not None or key in required
    }
    return Manifest(
        folder=os.path.abspath(folder),
        name=texts["name"],
        title=texts.get("title", texts["name"]),
        version=texts["version"],
        entry=texts["entry"],
        models=models,
        boards=boards,
        capture=_per_board(data["capture"], boards, path, "capture"),
        display=_per_board(data["display"], boards, path, "display"),
        parameters=parameters,
        tensors=tensors,
        truth=texts.get("truth"),
        check_value=texts.get("check_value", ""),
        requires=Requirements.from_dict(data.get("requires") or {}, boards, path),
        bundle=Shipped.from_dict(data.get("bundle") or {}, path),
    )


def _per_board(value: Any, boards: Tuple[str, ...], path: str, key: str) -> Dict[str, str]:
    """One text for all boards, or a text for each."""
    if not isinstance(value, dict):
        return {board: _text(value, path, key) for board in boards}
    check_keys(value, boards, "{}, {}".format(path, key), required=boards)
    return {
        str(board): _text(text, path, "{} of {}".format(key, board))
        for board, text in value.items()
    }


def _parameter(
    name: str, item: Mapping[str, Any], path: str, models: Mapping[str, Any]
) -> Parameter:
    where = "{}, parameter {}".format(path, name)
    known = ("type", "default", "help", "choices", "minimum", "maximum", "selects")
    check_keys(item, known, where, required=("type", "default", "help"))
    kind = str(item["type"])
    if kind not in _TYPES:
        raise ConfigError(
            "unknown type {!r}".format(kind), where=where, hint=did_you_mean(kind, _TYPES)
        )
    choices = item.get("choices") or []
    if not isinstance(choices, list):
        raise ConfigError("choices must be a list", where=where)
    choices = tuple(_text(choice, where, "a choice") for choice in choices)
    if (kind == "choice") != bool(choices):
        raise ConfigError("choices belong to type choice, and it needs some", where=where)
    selects = _selects(item, where, choices, models)
    _check_bounds(item, where, kind)
    parameter = Parameter(
        name, kind, item["default"], str(item["help"]), choices,
        item.get("minimum"), item.get("maximum"), selects,
    )  # fmt: skip
    try:
        return parameter._replace(default=parameter.parse(item["default"]))
    except ConfigError as error:
        error.where = where
        raise


def _selects(
    item: Mapping[str, Any], where: str, choices: Tuple[str, ...], models: Mapping[str, Any]
) -> Dict[str, str]:
    given = _mapping(item.get("selects") or {}, where, "selects")
    selects = {str(key): str(value) for key, value in given.items()}
    if selects and set(selects) != set(choices):
        raise ConfigError("selects must name every choice once", where=where)
    for model in selects.values():
        if model not in models:
            raise ConfigError(
                "selects the unknown model {!r}".format(model),
                where=where,
                hint=did_you_mean(model, models),
            )
    return selects


def _check_bounds(item: Mapping[str, Any], where: str, kind: str) -> None:
    bounds = [item[key] for key in ("minimum", "maximum") if item.get(key) is not None]
    if bounds and kind not in ("int", "float"):
        raise ConfigError("minimum and maximum belong to type int and float", where=where)
    if not all(isinstance(bound, (int, float)) for bound in bounds) or bounds != sorted(bounds):
        raise ConfigError("minimum and maximum must be rising numbers", where=where)


def _text(value: Any, where: str, what: str) -> str:
    """Text; a number is taken as it is written, but YAML's true and null are slips."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ConfigError(
            "{} must be text, not {!r}".format(what, value),
            where=where,
            hint="YAML reads a bare off, no or nothing as false or null: quote it",
        )
    return str(value)


def _mapping(value: Any, path: str, key: Any) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError("{} must be a mapping, not {!r}".format(key, value), where=path)
    return value


def _parse_bool(value: Any, where: str) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise ConfigError("{!r} is neither true nor false".format(value), where=where)
    return text in _TRUE
