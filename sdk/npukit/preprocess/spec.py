"""The vendor-neutral declaration of what happens between a camera frame and a model input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple, Type, TypeVar

from npukit.color import DEFAULT_COLOR, Color, Matrix, Range
from npukit.errors import ConfigError, check_keys, did_you_mean
from npukit.frame import INTERPOLATIONS

# Bytes of the model input, and the axes of their array.
SOURCES = {"nv21": "(H*3//2, W)", "rgb888": "(H, W, 3)", "bgr888": "(H, W, 3)"}
GEOMETRIES = ("full", "center", "letterbox", "roi")
ORDERS = {"rgb": 3, "bgr": 3, "gray": 1}

_LARGEST = 3.4028234663852886e38  # of float32, in which the network computes

_E = TypeVar("_E", Matrix, Range)


@dataclass(frozen=True)
class Preprocess:
    """One model input's declaration.

    Attributes:
        source: layout of the bytes that the model input takes: nv21, or rgb888 or bgr888 (three
            bytes a pixel, as scripts feed them that convert colours themselves).
        color: matrix and range that NV21 bytes are in; frames of another are converted.
        geometry: full (the whole frame, aspect not kept), center (the largest centred part
            of the input's aspect), letterbox (the whole frame, aspect kept, black around),
            roi (a rectangle given with each frame).
        resize: nearest, linear, area or cubic.
        to: order of the channels that the network takes: rgb, bgr or gray.
        mean, scale: the network takes `(value - mean) * scale` of each channel, value 0..255.
    """

    source: str = "nv21"
    color: Color = DEFAULT_COLOR
    geometry: str = "full"
    resize: str = "linear"
    to: str = "rgb"
    mean: Tuple[float, ...] = (0.0, 0.0, 0.0)
    scale: Tuple[float, ...] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        """Check that there is a mean and a scale for each channel."""
        if not len(self.mean) == len(self.scale) == self.channels:
            raise ConfigError(
                "{} takes {} of mean and scale, not {} and {}".format(
                    self.to, self.channels, len(self.mean), len(self.scale)
                )
            )

    def packed_shape(self, width: int, height: int) -> Tuple[int, ...]:
        """Shape of the array of bytes for a picture of this size."""
        return (height * 3 // 2, width) if self.source == "nv21" else (height, width, 3)

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return ORDERS[self.to]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "preprocess") -> Preprocess:
        """Read a declaration (a `preprocess:` mapping).

        Raises:
            ConfigError: an unknown key or value, named with the nearest known one.
        """
        known = ("source", "matrix", "range", "geometry", "resize", "to", "mean", "scale")
        if not isinstance(data, Mapping):
            raise ConfigError("must be a mapping, not {!r}".format(data), where=where)
        check_keys(data, known, where)
        to = _choice(data, "to", "rgb", ORDERS, where)
        count = ORDERS[to]
        source = _choice(data, "source", "nv21", SOURCES, where)
        if to == "gray" and source != "nv21":
            raise ConfigError("gray is the luma of nv21, not of {}".format(source), where=where)
        return cls(
            source=source,
            color=Color(
                _member(data, "matrix", Matrix, Matrix.BT601, where),
                _member(data, "range", Range, Range.LIMITED, where),
            ),
            geometry=_choice(data, "geometry", "full", GEOMETRIES, where),
            resize=_choice(data, "resize", "linear", INTERPOLATIONS, where),
            to=to,
            mean=_numbers(data, "mean", 0.0, count, where),
            scale=_numbers(data, "scale", 1.0, count, where),
        )

    def to_dict(self) -> Dict[str, Any]:
        """The mapping that `from_dict` reads, every key present."""
        return {
            "source": self.source,
            "matrix": self.color.matrix.value,
            "range": self.color.range.value,
            "geometry": self.geometry,
            "resize": self.resize,
            "to": self.to,
            "mean": list(self.mean),
            "scale": list(self.scale),
        }


def _choice(data: Mapping[str, Any], key: str, default: str, known: Any, where: str) -> str:
    value = data.get(key, default)
    if not isinstance(value, str) or value not in known:
        raise ConfigError(
            "unknown {} {!r}".format(key, value), where=where, hint=did_you_mean(str(value), known)
        )
    return value


def _member(data: Mapping[str, Any], key: str, kind: Type[_E], default: _E, where: str) -> _E:
    return kind(_choice(data, key, default.value, [member.value for member in kind], where))


def _numbers(
    data: Mapping[str, Any], key: str, default: float, count: int, where: str
) -> Tuple[float, ...]:
    value = data.get(key, [default] * count)
    if (
        not isinstance(value, (list, tuple))
        or len(value) != count
        or not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in value)
        or not all(abs(item) <= _LARGEST for item in value)
    ):
        raise ConfigError(
            "{} must be a list of {} finite numbers, not {!r}".format(key, count, value),
            where=where,
        )
    return tuple(float(item) for item in value)
