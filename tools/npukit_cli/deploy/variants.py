"""The ways in which a skill can run that need different models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from npukit.manifest import Manifest


def variants(manifest: Manifest, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Settings with each choice of models that is left open; that of the defaults is first.

    Args:
        manifest: of the skill.
        given: parameters that are decided, as values or text.

    Raises:
        ConfigError: an unknown parameter or a value that is not allowed.
    """
    settings = manifest.settings(given)
    undecided = {
        name: sorted(item.choices, key=lambda choice: choice != settings[name])
        for name, item in manifest.parameters.items()
        if item.selects and name not in given
    }
    for chosen in product(*undecided.values()):
        yield {**settings, **dict(zip(undecided, chosen, strict=True))}
