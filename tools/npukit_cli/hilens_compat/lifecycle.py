"""init and terminate."""

from __future__ import annotations

import re

from npukit_cli.hilens_compat import log
from npukit_cli.hilens_compat.codes import HiLensEC
from npukit_cli.hilens_compat.settings import read_settings

_PATTERN = re.compile("[a-z0-9A-Z]+")
_LONGEST = 128


def init(verify: str) -> int:
    """Start; 0, or 23 when the check value is not made of 1 to 128 letters and digits.

    The device returns 0 for a wrong check value too, and the platform then stops the skill:
    here the script is ended, with the reason.
    """
    log.open_logger(True)
    if not isinstance(verify, str):
        raise TypeError("the check value is a str, not {!r}".format(verify))
    if not _PATTERN.fullmatch(verify) or len(verify) > _LONGEST:
        log.error("init: the check value must be 1 to {} letters and digits".format(_LONGEST))
        return int(HiLensEC.INVALID_PARAM)
    wanted = read_settings().check_value
    if wanted is not None and wanted != verify:
        log.fatal("init: the check value is not the console's: the platform stops the skill")
        raise SystemExit(1)
    return int(HiLensEC.OK)


def terminate() -> int:
    """Shut the logger down, nothing else; 0."""
    log.open_logger(False)
    return int(HiLensEC.OK)
