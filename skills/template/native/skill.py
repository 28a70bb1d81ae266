"""My skill: everything that happens to a frame between the camera and the display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from npukit.background import open_background
from npukit.compositing import Matte, blend, to_8bit
from npukit.frame import Nv21Frame, center_rect
from npukit.manifest import Manifest
from npukit.runtime import Model
from npukit.skill import Skill


class MySkill(Skill):
    """Cuts a person out and puts another background behind."""

    def __init__(
        self, manifest: Manifest, settings: Mapping[str, Any], models: Mapping[str, Model]
    ) -> None:
        super().__init__(manifest, settings, models)
        self.network = models["network"]
        self.background = open_background(manifest.asset(settings["background"]))

    def process(self, frame: Nv21Frame) -> Nv21Frame:
        """The result for one frame; the camera's NV21 planes come in, NV21 planes go out."""
        # Centre crop to the aspect of the network: a view of the planes, nothing is copied.
        view = frame.crop(center_rect(frame.size, self.network.inputs["image"].size))
        # Resize and pack: the bytes that the board's model would get.
        image = self.network.inputs["image"].feed(view)
        # Inference. The device turns NV21 into RGB and scales it, as model/convert.yaml says.
        alpha = self.network.infer({"image": image})["alpha"]
        # Compositing on the planes; alpha covers the whole view. For RGB pixels there is
        # view.to_rgb(), and for the way back Nv21Frame.from_rgb(rgb, view.color).
        matte = Matte(to_8bit(alpha), view.size)
        return blend(view, self.background.behind(view), matte)
