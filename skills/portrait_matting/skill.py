"""Portrait matting: a person is cut out of the camera's picture and put before another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from npukit.arrays import U8
from npukit.background import Background, open_background
from npukit.buffers import BufferPool
from npukit.color import Color
from npukit.color_edge import ColorEdge
from npukit.compositing import (
    Matte,
    TemporalFilter,
    blend,
    guided_filter,
    sharpen_edge,
    to_8bit,
)
from npukit.frame import Nv21Frame, Rect, center_rect
from npukit.manifest import Manifest
from npukit.pipeline import Packet, Stage
from npukit.runtime import Model
from npukit.skill import Skill


class PortraitMatting(Skill):
    """Three stages: cut the view and the model's input, infer, composite."""

    def __init__(
        self, manifest: Manifest, settings: Mapping[str, Any], models: Mapping[str, Model]
    ) -> None:
        super().__init__(manifest, settings, models)
        self._model = self.selected("crop")
        self._image = self._model.inputs["image"]
        self._background: Background = open_background(manifest.asset(settings["background"]))
        self._smooth = TemporalFilter(settings["smooth"])
        self._color_edge = ColorEdge(settings["smooth"])
        self._pool = BufferPool()

    def stages(self) -> Sequence[Stage]:
        """The steps of a frame, each in a thread of its own."""
        return (
            Stage("prepare", self._prepare),
            Stage("infer", self._infer),
            Stage("composite", self._composite),
        )

    def reset(self) -> None:
        """A new source begins: forget the previous alpha, rewind a background video."""
        super().reset()
        self._smooth.reset()
        self._color_edge.reset()
        self._background.reset()

    def _prepare(self, packet: Packet) -> None:
        view = packet.frame
        if self.settings["crop"] == "square":
            view = view.crop(center_rect(view.size))
        if self.settings["view"] == "side_by_side":
            # Put where it will be shown: into the left half of the result.
            canvas = self._canvas(2 * view.width, view.height, view.color)
            place = canvas.crop(Rect(0, 0, *view.size))
            if self.settings["mirror"]:
                view.flip(out=place)
            else:
                place.paste(view)
            packet.data["canvas"], view = canvas, place
        elif self.settings["mirror"]:
            view = view.flip(out=self._canvas(*view.size, color=view.color))
        packet.frame = view
        packet.data["image"] = self._image.feed(view)

    def _infer(self, packet: Packet) -> None:
        outputs = self._model.infer({"image": packet.data.pop("image")})
        packet.data["alpha"] = to_8bit(outputs["alpha"])

    def _composite(self, packet: Packet) -> None:
        view = packet.frame
        alpha = self._refine(packet.data["alpha"], view)
        matte = packet.data["matte"] = Matte(alpha, view.size)
        packet.frame = self._compose(view, matte, packet.data.pop("canvas", None))

    def _refine(self, alpha: U8, view: Nv21Frame) -> U8:
        if self.settings["smooth"]:
            alpha = self._smooth(alpha, view.y)
        edge = self.settings["edge"]
        if edge == "color":
            return self._color_edge(alpha, view)
        if edge == "sharpen":
            return sharpen_edge(alpha)
        return guided_filter(alpha, view.y) if edge == "guided" else alpha

    def _compose(self, view: Nv21Frame, matte: Matte, canvas: Nv21Frame | None) -> Nv21Frame:
        """The result; `canvas`, for side by side, has the view in its left half already."""
        width, height = view.size
        if self.settings["view"] == "alpha":
            out = self._canvas(width, height, view.color)
            out.vu[:] = 128
            out.y[:] = matte.to_plane()
            return out
        background = self._background.behind(view)
        if canvas is None:
            return blend(view, background, matte, self._canvas(width, height, view.color))
        blend(view, background, matte, canvas.crop(Rect(width, 0, width, height)))
        return canvas

    def _canvas(self, width: int, height: int, color: Color) -> Nv21Frame:
        return Nv21Frame(
            self._pool.take(height, width), self._pool.take(height // 2, width // 2, 2), color
        )
