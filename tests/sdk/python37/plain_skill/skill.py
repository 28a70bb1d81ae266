"""The smallest skill: no model, one stage."""

from __future__ import annotations

from npukit.frame import Nv21Frame
from npukit.skill import Skill


class Mirror(Skill):
    """Flips left and right."""

    def process(self, frame: Nv21Frame) -> Nv21Frame:
        return frame.flip()
