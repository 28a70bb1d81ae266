"""`python -m benchmarks`: all of them; tables on the screen and in build/bench/."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from benchmarks import against, bare, conversion, glue, loop, quantization, where
from benchmarks.clips import BUILD
from benchmarks.measure import Row, glue_table, loop_table, machine, stage_table

SECTIONS = ("glue", "loop", "peers", "where", "convert", "quantization")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--rounds", type=int, help="counted rounds; medians are shown")
    parser.add_argument("--frames", type=int, help="frames of a clip")
    parser.add_argument("--only", choices=SECTIONS, help="one of them")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 7)
    frames = options.frames or (60 if options.quick else 240)

    facts = machine()
    wanted = (options.only,) if options.only else SECTIONS
    glue_rows = _told(glue.rows(rounds, min(frames, 60))) if "glue" in wanted else []
    loop_rows = _told(loop.rows(rounds, frames)) if "loop" in wanted else []
    bare_rows = _told(bare.rows(rounds, frames)) if "peers" in wanted else []
    peer_rows = _told(against.rows(rounds, frames)) if "peers" in wanted else []
    costs = list(where.rows(rounds, min(frames, 120))) if "where" in wanted else []
    converted = list(conversion.rows(min(rounds, 3))) if "convert" in wanted else []
    quantized = []
    if "quantization" in wanted:
        for one in quantization.rows():
            print(f"{one.case}: {one.speed[1]:.2f}x, {one.size:.3f} of the size", flush=True)
            quantized.append(one)
    facts["load_after"] = machine()["load"]

    text = "\n".join(
        [
            *_section(loop_table(loop_rows), loop_rows),
            *_section(glue_table(glue_rows), glue_rows),
            *_section(stage_table(loop_rows), loop_rows),
            *_section(bare.bare_table(bare_rows), bare_rows),
            *_section(against.peer_table(peer_rows), peer_rows),
            *_section(where.where_table(costs), costs),
            *_section(conversion.conversion_table(converted), converted),
            *_section(quantization.quantization_table(quantized), quantized),
            f"Medians of {rounds} interleaved rounds of {frames} frames. "
            + ", ".join(f"{name} {value}" for name, value in facts.items()),
        ]
    )
    data = {
        "machine": facts,
        "rounds": rounds,
        "frames": frames,
        "loop": [row.to_dict() for row in loop_rows],
        "glue": [row.to_dict() for row in glue_rows],
        "bare": [row.to_dict() for row in bare_rows],
        "peers": [row.to_dict() for row in peer_rows],
        "convert": [row.to_dict() for row in converted],
        "quantization": [row.to_dict() for row in quantized],
        "where": {one.case: dict(one.stages) for one in costs},
    }
    BUILD.mkdir(parents=True, exist_ok=True)
    files = {"results.md": text + "\n", "results.json": json.dumps(data, indent=1) + "\n"}
    if costs:
        files["where.svg"] = where.where_picture(data["where"])
    for name, content in files.items():
        (BUILD / name).write_text(content, encoding="utf-8")
    print("\n" + text)
    print(f"\nin {BUILD}: {', '.join(files)}")


def _told(rows: Iterable[Row]) -> list[Row]:
    """The rows, each told as it comes."""
    kept = []
    for row in rows:
        print(f"{row.case}: {row.speed:.2f}x", flush=True)
        kept.append(row)
    return kept


def _section(lines: list[str], rows: object) -> list[str]:
    return [*lines, ""] if rows else []


if __name__ == "__main__":
    main()
