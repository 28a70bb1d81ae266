"""The error of a skill's alpha against an exact one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from npukit.capture import open_source
from npukit.capture.base import Captured
from npukit.errors import ConfigError
from npukit.pipeline import Packet


class AlphaError:
    """Compares the alpha of each frame with the luma (0..255) of a video's frame.

    Attributes:
        per_frame: mean absolute difference of each frame, alpha in 0..1.
        worst: number of the frame with the largest.
    """

    def __init__(self, uri: str) -> None:
        """Open the exact alpha.

        Raises:
            CaptureError: it cannot be read.
        """
        self._uri = uri
        self._source = open_source(uri)
        self._frames: Iterator[Captured] = self._source.frames()
        self.per_frame: list[float] = []
        self._squares: list[float] = []

    def __call__(self, packet: Packet) -> None:
        """Measure one frame.

        Raises:
            ConfigError: the skill gives no alpha, or the exact one has another size or ends.
        """
        where = f"{self._uri}, frame {packet.index}"
        matte = packet.data.get("matte")
        if matte is None:
            raise ConfigError("the skill gives no alpha to compare", where=where)
        exact = next(self._frames, None)
        if exact is None:
            raise ConfigError("the exact alpha ends before the source does", where=where)
        if exact.frame.size != matte.size:
            raise ConfigError(
                f"the exact alpha is {exact.frame.size}, the skill's view {matte.size}",
                where=where,
                hint="compare with crop=full and mirror=false, on the clip it was made for",
            )
        difference = np.abs(matte.to_plane().astype(np.int16) - exact.frame.y)
        self.per_frame.append(float(difference.mean()) / 255.0)
        self._squares.append(float(np.square(difference, dtype=np.int32).mean()) / 255.0**2)

    @property
    def worst(self) -> int:
        """Number of the frame with the largest mean absolute difference."""
        return int(np.argmax(self.per_frame)) if self.per_frame else 0

    def to_dict(self) -> dict[str, Any]:
        """MAD and MSE over all frames, alpha in 0..1, and the worst frame."""
        if not self.per_frame:
            return {"truth": self._uri, "frames": 0}
        return {
            "truth": self._uri,
            "frames": len(self.per_frame),
            "mad": round(float(np.mean(self.per_frame)), 6),
            "mse": round(float(np.mean(self._squares)), 6),
            "worst_frame": self.worst,
            "worst_mad": round(max(self.per_frame), 6),
        }

    def close(self) -> None:
        """Close the video."""
        self._source.close()
