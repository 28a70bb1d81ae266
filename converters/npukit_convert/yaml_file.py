"""Reading YAML that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from npukit.errors import ConfigError


def read_yaml(path: Path) -> Any:
    """What a file holds, as plain data.

    Raises:
        ConfigError: it cannot be read, or is no YAML; names the file, and the line.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(path)) from error
