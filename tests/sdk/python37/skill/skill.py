"""Three stages, as those of a real skill."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from npukit.background import open_background
from npukit.compositing import Matte, blend, to_8bit
from npukit.manifest import Manifest
from npukit.pipeline import Packet, Stage
from npukit.runtime import Model
from npukit.skill import Skill


class NumpyMatting(Skill):
    """Prepare, infer, composite."""

    def __init__(
        self, manifest: Manifest, settings: Mapping[str, Any], models: Mapping[str, Model]
    ) -> None:
        super().__init__(manifest, settings, models)
        self._net = models["net"]
        self._background = open_background(settings["background"])

    def stages(self) -> Sequence[Stage]:
        return (
            Stage("prepare", self._prepare),
            Stage("infer", self._infer),
            Stage("composite", self._composite),
        )

    def _prepare(self, packet: Packet) -> None:
        packet.data["image"] = self._net.inputs["image"].feed(packet.frame)

    def _infer(self, packet: Packet) -> None:
        if packet.index == self.settings["fail_at"]:
            raise ZeroDivisionError("broken on purpose")
        packet.data["alpha"] = self._net.infer({"image": packet.data["image"]})["alpha"]

    def _composite(self, packet: Packet) -> None:
        view = packet.frame
        packet.data["matte"] = Matte(to_8bit(packet.data["alpha"]), view.size)
        packet.frame = blend(view, self._background.behind(view), packet.data["matte"])
