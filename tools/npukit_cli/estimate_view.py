"""An estimate, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from npukit_cli import output

_SHOWN = 12


def tell(summary: Mapping[str, Any], every_layer: bool) -> None:
    """Print the layers that dominate, the totals, and what the figures rest on."""
    layers: Sequence[Mapping[str, Any]] = summary["layers"]
    if not every_layer:
        layers = sorted(layers, key=lambda one: -one["ms"])[:_SHOWN]
    output.table(
        f"{Path(summary['model']).name} on {summary['board']}, {summary['precision']}, as "
        f"{summary['route']}: {summary['estimate_ms']:.2f} ms"
        + ("" if every_layer else f" (the {len(layers)} longest of {len(summary['layers'])})"),
        ("layer", "operator", "ms", "share", "waits for", "MMAC", "filling", "MiB moved"),
        [_row(one) for one in layers],
    )
    output.result(
        f"{summary['gmacs']:.2f} GMAC; {_mib(summary['moved_bytes'])} moved; "
        f"copies {summary['copy_ms']:.2f} ms, AIPP {summary['preprocess_ms']:.2f} ms"
    )
    output.result(
        f"memory at the fullest: {_mib(summary['peak_bytes'])}, of it weights "
        f"{_mib(summary['weights_bytes'])}; the board has {_mib(summary['memory_bytes'])}"
    )
    for name, source in summary["sources"].items():
        output.result(f"{name}: {source}")
    if summary["refused"]:
        output.say(
            f"note: {len(summary['refused'])} part(s) have no form in Caffe, and are counted as "
            "they are; npukit lint names them"
        )
    output.say(
        "note: an estimate without the cost of starting layers and without the vector unit; "
        "npukit estimate --published shows how far it is from published times"
    )


def tell_published(rows: Sequence[Mapping[str, Any]], aside: Sequence[Mapping[str, Any]]) -> None:
    """Print the model's error against each published time."""
    output.table(
        "the estimate against published times, batch 1; nothing is fitted",
        ("network", "published ms", "estimated ms", "error", "board's figures", "measured by"),
        [
            (row["network"], f"{row['published_ms']:.2f}", f"{row['estimated_ms']:.2f}",
             f"{row['error']:+.0%}", f"{row['board']}, {row['precision']}", row["title"])
            for row in rows
        ],
    )  # fmt: skip
    for title, url in dict.fromkeys((row["title"], row["url"]) for row in rows):
        output.result(f"{title}: {url}")
    for row in aside:
        output.result(
            f"apart: {row['network']}, {row['published_ms']:g} ms: {row['why']} ({row['source']})"
        )


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    moved = one["read_bytes"] + one["weight_bytes"] + one["written_bytes"]
    filling = 1 - one["macs"] / one["padded_macs"] if one["padded_macs"] else 0.0
    return (
        one["name"],
        "+".join([one["operator"], *one["fused"]]),
        f"{one['ms']:.3f}",
        f"{one['share']:.0%}",
        one["bound"],
        f"{one['macs'] / 1e6:.1f}" if one["macs"] else "-",
        f"{filling:.0%}" if one["macs"] else "-",
        f"{moved / 2**20:.2f}",
    )


def _mib(count: float) -> str:
    return f"{count / 2**20:.1f} MiB"
