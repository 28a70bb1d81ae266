"""What `npukit inspect` says of a file, whatever its kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        format: layout of the bytes that the caller gives or gets: NCHW, nv21, YUV420SP_U8, ...
        shape: of the array; -1 or a name stands for an axis that is not fixed.
        nbytes: None where the size is not fixed or not known.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    format: str = ""
    nbytes: int | None = None


@dataclass
class Description:
    """A file's content; what a kind of file does not say is None or empty.

    Attributes:
        kind: of file, in words.
        target: what executes it.
        platform: version of the compiler's platform.
        operators: how many of each type.
        parameters: numbers in the weights.
        weight_bytes, memory_bytes: that it needs on the device: weights, and all else.
        aipp: fields of the device's preprocessing, by input.
        facts: what only this kind of file has.
        text: of a file that is shown as it is.
        parts: files that it names.
    """

    kind: str
    file: str
    bytes: int
    name: str = ""
    version: str = ""
    target: str = ""
    platform: str = ""
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    operators: dict[str, int] = field(default_factory=dict)
    parameters: int | None = None
    weight_bytes: int | None = None
    memory_bytes: int | None = None
    aipp: dict[str, dict[str, Any]] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    text: str | None = None
    parts: dict[str, Description] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def count(types: Iterable[str]) -> dict[str, int]:
    """How many of each, the most frequent first."""
    return dict(sorted(Counter(types).items(), key=lambda item: (-item[1], item[0])))


def layout(shape: Sequence[object]) -> str:
    """The order of the axes where four of them leave no doubt."""
    return "NCHW" if len(shape) == 4 else ""


def plain(values: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Lists of one value as that value; infinity and NaN, which JSON does not have, as text."""
    found = {name: [_finite(item) for item in value] for name, value in values.items()}
    return {name: value[0] if len(value) == 1 else value for name, value in found.items()}


def _finite(item: Any) -> Any:
    return item if not isinstance(item, float) or math.isfinite(item) else str(item)
