"""The findings of `npukit lint`, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from npukit_cli import output

_SMALL = 0.01  # of the estimated time: advice that saves less is counted, not shown


def tell(summary: Mapping[str, Any], everything: bool) -> None:
    """Print what the compiler refuses, then the advice, then the verdict."""
    findings: Sequence[Mapping[str, Any]] = summary["findings"]
    hard = [one for one in findings if one["severity"] != "advice"]
    if hard:
        output.table(
            f"against {summary['table_title']} ({summary['table']})",
            ("", "node", "operator", "reason", "remedy"),
            [
                (one["severity"], _place(one), one["operator"], one["reason"], one["remedy"])
                for one in hard
            ],
        )
    advice = [one for one in findings if one["severity"] == "advice"]
    least = 0.0 if everything else _SMALL * summary["estimate_ms"]
    shown = [one for one in advice if _worth(one) >= least]
    if shown:
        output.table(
            f"advice; times are estimated for {summary['board']} in {summary['precision']}",
            ("rule", "node", "reason", "remedy", "takes ms", "saves ms"),
            [
                (one["rule"], _place(one), one["reason"], one["remedy"],
                 _ms(one["cost_ms"]), _ms(one["saved_ms"]))
                for one in shown
            ],
        )  # fmt: skip
    if len(shown) < len(advice):
        output.result(
            f"{len(advice) - len(shown)} more, each under {_SMALL:.0%} of the time: see --all"
        )
    for name, operators in summary["other_tables"].items():
        if operators:
            counted = ", ".join(f"{count} {operator}" for operator, count in operators.items())
            output.result(f"{name} would refuse: {counted}")
        else:
            output.result(f"{name} would refuse nothing")
    counts = summary["counts"]
    output.result(
        f"{counts['unsupported']} unsupported, {counts['limited']} limited, "
        f"{counts['advice']} advice; the whole is estimated at {summary['estimate_ms']:.2f} ms"
    )


def _worth(one: Mapping[str, Any]) -> float:
    saved = one["saved_ms"] if one["saved_ms"] is not None else one["cost_ms"]
    return float("inf") if saved is None else float(saved)


def _place(one: Mapping[str, Any]) -> str:
    return str(one["node"]) or "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
