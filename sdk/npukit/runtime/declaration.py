"""What a model takes and gives, as data: in a simulator build's header and in a manifest."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from npukit.errors import ConfigError, check_keys
from npukit.preprocess.spec import Preprocess


class InputSpec(NamedTuple):
    """A network input: its NCHW shape, and how the device makes it from frame bytes."""

    shape: Tuple[int, ...]
    preprocess: Optional[Preprocess] = None

    @classmethod
    def from_dict(cls, data: Any, where: str) -> InputSpec:
        """Read `{shape, preprocess}`.

        Raises:
            ConfigError: an unknown key or a wrong value.
        """
        check_keys(_mapping(data, where), ("shape", "preprocess"), where, required=("shape",))
        declared = data.get("preprocess")
        return cls(
            _shape(data["shape"], where),
            None if declared is None else Preprocess.from_dict(_mapping(declared, where), where),
        )

    def to_dict(self) -> Dict[str, Any]:
        """The mapping that `from_dict` reads."""
        data: Dict[str, Any] = {"shape": list(self.shape)}
        if self.preprocess is not None:
            data["preprocess"] = self.preprocess.to_dict()
        return data


class Declaration(NamedTuple):
    """Inputs and outputs in the network's order, and the states between frames.

    Attributes:
        inputs: by name.
        outputs: shape by name.
        states: input name to the output that is fed back into it.
    """

    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, Tuple[int, ...]]
    states: Mapping[str, str]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str) -> Declaration:
        """Read `{inputs, outputs, states}`.

        Raises:
            ConfigError: an unknown key or a wrong value.
        """
        check_keys(data, ("inputs", "outputs", "states"), where, required=("inputs", "outputs"))
        return cls(
            {
                str(name): InputSpec.from_dict(item, "{}, input {}".format(where, name))
                for name, item in _mapping(data["inputs"], where).items()
            },
            {
                str(name): _shape(shape, "{}, output {}".format(where, name))
                for name, shape in _mapping(data["outputs"], where).items()
            },
            {
                str(into): str(out)
                for into, out in _mapping(data.get("states") or {}, where).items()
            },
        )


def _mapping(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError("must be a mapping, not {!r}".format(value), where=where)
    return value


def _shape(value: Any, where: str) -> Tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        type(side) is int and side > 0 for side in value
    ):
        raise ConfigError("{!r} is no shape of positive whole numbers".format(value), where=where)
    return tuple(value)
