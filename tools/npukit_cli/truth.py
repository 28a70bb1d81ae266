"""A skill's alpha against an exact one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from npukit.arrays import U8
from npukit.capture import open_source
from npukit.capture.base import Captured
from npukit.errors import ConfigError
from npukit.manifest import Manifest
from npukit.pipeline import Packet
from npukit.quality import QualityMeter


def own_truth(manifest: Manifest, settings: Mapping[str, Any]) -> str | None:
    """The exact alpha of the skill's own clip, where it fits the view."""
    plain = settings.get("crop", "full") == "full" and not settings.get("mirror", False)
    return manifest.path(manifest.truth) if manifest.truth and plain else None


class ExactAlpha:
    """Gives the luma (0..255) of a video's frames beside the alpha of finished packets."""

    def __init__(self, uri: str) -> None:
        """Open the exact alpha.

        Raises:
            CaptureError: it cannot be read.
        """
        self._uri = uri
        self._source = open_source(uri)
        self._frames: Iterator[Captured] = self._source.frames()

    def pair(self, packet: Packet) -> tuple[U8, U8]:
        """The skill's alpha of the next frame, and the exact one; both (H, W).

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
        return matte.to_plane(), exact.frame.y

    def close(self) -> None:
        """Close the video."""
        self._source.close()


class AlphaQuality(ExactAlpha):
    """All measures of the matting field, see `npukit.quality`."""

    def __init__(self, uri: str) -> None:
        """See `ExactAlpha`."""
        super().__init__(uri)
        self.meter = QualityMeter()

    def __call__(self, packet: Packet) -> None:
        """Measure one frame, see `ExactAlpha.pair`."""
        self.meter.add(*self.pair(packet))


class AlphaError(ExactAlpha):
    """The two measures that cost next to nothing.

    Attributes:
        per_frame: mean absolute difference of each frame, alpha in 0..1.
        worst: number of the frame with the largest.
    """

    def __init__(self, uri: str) -> None:
        """See `ExactAlpha`."""
        super().__init__(uri)
        self.per_frame: list[float] = []
        self._squares: list[float] = []

    def __call__(self, packet: Packet) -> None:
        """Measure one frame, see `ExactAlpha.pair`."""
        alpha, exact = self.pair(packet)
        difference = np.abs(alpha.astype(np.int16) - exact)
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
