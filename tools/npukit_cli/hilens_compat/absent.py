"""Names of the device's module that are not simulated, and those that do not exist."""

from __future__ import annotations

from typing import Any

from npukit.errors import nearest
from npukit_cli.hilens_compat.codes import NotSimulatedError

_NAMES = (
    "EIHeaders",
    "EIResponse",
    "DELETE",
    "GET",
    "POST",
    "PUT",
    "get_hard_sample_config",
    "hard_sample_classification_filter",
    "hard_sample_detection_filter",
    "play_aac_file",
    "set_hard_sample_config",
    "upload_jpeg",
)
_PREFIX = "AUDIO_"  # AUDIO_SAMPLE_RATE_44100 and so on


class NotSimulated:
    """Stands for a name of the device's module: it can be imported and passed, not called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Say that it is not simulated."""
        raise NotSimulatedError(self._name)

    def __getattr__(self, name: str) -> NotSimulated:
        if name.startswith("__"):
            raise AttributeError(name)
        return NotSimulated("{}.{}".format(self._name, name))


AudioCapture = NotSimulated("AudioCapture")
EIServices = NotSimulated("EIServices")
HardSample = NotSimulated("HardSample")


def find(name: str) -> NotSimulated:
    """What `hilens.NAME` is, where nothing of that name is simulated.

    Raises:
        AttributeError: the device has no such name either.
    """
    from npukit_cli.hilens_compat import api

    if name in _NAMES or name.startswith(_PREFIX):
        return NotSimulated(name)
    near = nearest(name, api.__all__)
    raise AttributeError(
        "module 'hilens' has no attribute {!r}{}".format(
            name, "; did you mean {!r}?".format(near) if near else ""
        )
    )
