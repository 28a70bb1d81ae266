"""What is wrong or slow in a network for a chip, one rule a file."""

from npukit.plugins import Plugins
from npukit_convert.lint.base import Finding, Rule, Subject

RULES: Plugins[Rule] = Plugins(__name__, __path__, Rule, "lint rule")


def check(subject: Subject) -> list[Finding]:
    """All findings: what is unsupported first, then limited, then advice by what it saves.

    Raises:
        PluginError: a rule that cannot be imported.
        ConversionError: a size of the network depends on data.
    """
    found = [one for name in RULES.names() for one in RULES.get(name)().check(subject)]
    return sorted(found, key=lambda one: (one.severity, -(one.saved_ms or 0), -(one.cost_ms or 0)))


__all__ = ["RULES", "Finding", "Rule", "Subject", "check"]
