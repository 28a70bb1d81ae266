"""The name that scripts import."""

from npukit_cli.hilens_compat.absent import find as __getattr__  # noqa: F401
from npukit_cli.hilens_compat.api import *  # noqa: F403
