"""What `npukit run` tells the script's process, in one environment variable."""

from __future__ import annotations

import json
import os
from typing import NamedTuple, Optional

VARIABLE = "NPUKIT_HILENS"


class Settings(NamedTuple):
    """How the calls of a script are simulated.

    Attributes:
        camera: replaces what every VideoCapture of the script names; None leaves it.
        display: replaces every Display; None leaves it.
        out: folder for what would leave the device: HDMI pictures, uploads, messages.
        threads: CPU threads of the simulated NPU.
        check_value: what the console has as the skill's check value; None accepts any.
        summary: file that receives the counts of the run, or None.
    """

    camera: Optional[str] = None
    display: Optional[str] = None
    out: str = "npukit-out"
    threads: int = 1
    check_value: Optional[str] = None
    summary: Optional[str] = None

    def to_text(self) -> str:
        """For the environment variable."""
        return json.dumps(self._asdict())


def read_settings() -> Settings:
    """The settings of this process; the defaults where `npukit run` did not start it."""
    return Settings(**json.loads(os.environ.get(VARIABLE, "{}")))
