"""`npukit doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

from npukit_cli.commands._options import Json


def doctor(
    json: Json = False,
) -> int:
    """Check this machine: packages, encoders, skills, the simulator, vendor tools.

    Exit code 1 when something that npukit needs is broken. Example: npukit doctor --json
    """
    from npukit_cli import output
    from npukit_cli.checkup import BROKEN, checks

    findings = list(checks())
    healthy = all(finding.state != BROKEN for finding in findings)
    if json:
        output.as_json({"healthy": healthy, "checks": [item._asdict() for item in findings]})
    else:
        output.table(
            "npukit doctor",
            ("check", "state", "found", "what to do"),
            [tuple(item) for item in findings],
        )
    return 0 if healthy else 1
