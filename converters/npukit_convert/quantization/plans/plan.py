"""The precision plan: which layer is computed in what. It knows no vendor, and is a file.

A plan can be read, edited and replayed (`quantization.plan: NAME.plan.yaml`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from npukit.errors import ConfigError, check_keys, did_you_mean
from npukit_convert.quantization.plans.kernels import Layers
from npukit_convert.quantization.settings import FP16, INT8, QuantizationConfig
from npukit_convert.yaml_file import read_yaml

Activations = Literal["asymmetric", "symmetric"]
Method = Literal["minmax", "entropy", "percentile"]
_FORMAT = 1
_KEYS = ("format", "preset", "activations", "method", "percentile", "layers")
_HEAD = """\
# npukit precision plan: what each layer is computed in, {int8} or {fp16}.
# Replay it, edited or not:  npukit convert ... --quantization.plan THIS_FILE
# Relu, Clip, MaxPool and what only moves data go along with the layer before them.
"""
_FLOAT_HEAD = "# Always in float:\n"


@dataclass(frozen=True)
class PrecisionPlan:
    """What each layer of a network is computed in.

    Attributes:
        preset: that it was made by: `int8` or `int8_mixed`.
        layers: node name of the simplified ONNX network to `int8` or `fp16`, in its order.
        activations, method, percentile: as in `QuantizationConfig`.
    """

    preset: str
    layers: Mapping[str, str]
    activations: Activations = "asymmetric"
    method: Method = "minmax"
    percentile: float = 99.99

    def int8(self) -> list[str]:
        """Layers in int8, in the network's order."""
        return [name for name, precision in self.layers.items() if precision == INT8]

    def fp16(self) -> list[str]:
        """Layers in fp16, in the network's order."""
        return [name for name, precision in self.layers.items() if precision == FP16]

    def with_int8(self, names: Collection[str]) -> PrecisionPlan:
        """The same with exactly these layers in int8."""
        chosen = set(names)
        return replace(
            self, layers={name: INT8 if name in chosen else FP16 for name in self.layers}
        )

    def check(self, layers: Layers, where: str = "plan") -> None:
        """Refuse a plan that is not one of a network.

        Raises:
            ConfigError: it names a layer that the network has not, or that has no integer
                kernel, or leaves one out; with the nearest name.
        """
        for name, precision in self.layers.items():
            if name in layers.kept and precision == INT8:
                raise ConfigError(f"{name!r} cannot be int8: {layers.kept[name]}", where=where)
            if name not in layers.able and name not in layers.kept:
                raise ConfigError(
                    f"the network has no layer {name!r}",
                    where=where,
                    hint=_nearest(name, layers.able),
                )
        missing = [name for name in layers.able if name not in self.layers]
        if missing:
            raise ConfigError(
                f"the plan does not say what {missing[0]!r} is computed in",
                where=where,
                hint=f"{len(missing)} layers are missing; is it the plan of another network?",
            )

    def settings(self) -> QuantizationConfig:
        """How ranges are taken for it."""
        return QuantizationConfig(
            activations=self.activations, method=self.method, percentile=self.percentile
        )


def make_plan(
    preset: str, layers: Layers, settings: QuantizationConfig, where: str = "quantization.keep"
) -> PrecisionPlan:
    """All that can be int8 in int8, but for `settings.keep`.

    Raises:
        ConfigError: `keep` names no layer.
    """
    for name in settings.keep:
        if name not in layers.able and name not in layers.kept:
            raise ConfigError(
                f"the network has no layer {name!r}", where=where, hint=_nearest(name, layers.able)
            )
    int8 = layers.settled(layers.able.keys() - set(settings.keep))
    return PrecisionPlan(
        preset,
        {name: INT8 if name in int8 else FP16 for name in layers.able},
        settings.activations,
        settings.method,
        settings.percentile,
    )


def write_plan(plan: PrecisionPlan, kept: Mapping[str, str] | None = None) -> str:
    """The text of the file; `kept` is said in comments: node name to why it stays in float."""
    data = {
        "format": _FORMAT,
        "preset": plan.preset,
        "activations": plan.activations,
        "method": plan.method,
        "percentile": plan.percentile,
        "layers": dict(plan.layers),
    }
    text = _HEAD.format(int8=INT8, fp16=FP16) + yaml.safe_dump(data, sort_keys=False, width=1000)
    if kept:
        lines = (_printable(f"{name}: {why}") for name, why in kept.items())
        text += _FLOAT_HEAD + "".join(f"#   {line}\n" for line in lines)
    return text


def read_plan(path: Path) -> PrecisionPlan:
    """Read a plan; whether it is one of a network is for `PrecisionPlan.check`.

    Raises:
        ConfigError: the file cannot be read, or holds something else; names the key.
    """
    where = str(path)
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError("no precision plan: it holds no mapping", where=where)
    check_keys(data, _KEYS, where, required=_KEYS)
    if data["format"] != _FORMAT:
        raise ConfigError(
            f"a plan of format {data['format']!r}, this npukit reads {_FORMAT}", where=where
        )
    layers = data["layers"]
    if not isinstance(layers, dict) or not layers:
        raise ConfigError("`layers` maps names of layers to precisions", where=where)
    for name, precision in layers.items():
        _one_of(precision, (INT8, FP16), f"{where}, layers.{name}")
    percentile = data["percentile"]
    if not isinstance(percentile, int | float) or not 50 < percentile <= 100:
        raise ConfigError("`percentile` is above 50, at most 100", where=f"{where}, percentile")
    return PrecisionPlan(
        str(data["preset"]),
        {str(name): precision for name, precision in layers.items()},
        _one_of(data["activations"], get_args(Activations), f"{where}, activations"),
        _one_of(data["method"], get_args(Method), f"{where}, method"),
        float(percentile),
    )


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _one_of(value: Any, known: tuple[str, ...], where: str) -> Any:
    if value not in known:
        raise ConfigError(f"unknown {value!r}", where=where, hint=did_you_mean(str(value), known))
    return value


def _nearest(name: str, known: Collection[str]) -> str:
    """The nearest name alone: networks have hundreds."""
    return did_you_mean(name, known).partition(" known:")[0]
