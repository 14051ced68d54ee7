"""The measurements as a table for people: `python -m tests.benchmarks.kernels.report docs/measurements/kernels-h100.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TITLES = {
    "attention": "Attention",
    "decode": "Attention over pages",
    "elementwise": "Rows and elements",
    "matmul": "Matrix products",
}


def table(found: Mapping[str, Any]) -> str:
    """All families, each with a table; a goal that was missed says by how much."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    card, limits = found["card"], found["ceilings"]
    copy, half, byte = limits["copy"] / 1e9, limits["bf16"] / 1e12, limits["fp8"] / 1e12
    yield f"{card['gpu']}, torch {card['torch']}, Triton {card['triton']}. A large copy reads and writes {copy:,.0f} GB/s;"
    yield f"cuBLAS multiplies 8192³ at {half:,.0f} TFLOP/s in bfloat16 and {byte:,.0f} in float8: the ceilings of the floors below."
    for family in dict.fromkeys(row["family"] for row in found["rows"]):
        yield f"\n### {TITLES.get(family, family)}\n"
        yield "| case | ours, ms (8 in 10 calls) | rate | of the floor | beside it | goals |"
        yield "|---|---|---|---|---|---|"
        yield from (_row(row) for row in found["rows"] if row["family"] == family)


def _row(row: Mapping[str, Any]) -> str:
    ours = row["timings"]["ours"]
    by_flops = row["bound"] == "flops"
    rate = (
        f"{row['flops'] / ours['ms'] / 1e9:,.0f} TFLOP/s"
        if by_flops
        else f"{row['bytes'] / ours['ms'] / 1e6:,.0f} GB/s"
    )
    beside = ", ".join(
        f"{name} {_times(one['ms'] / ours['ms'])}" for name, one in row["timings"].items() if name != "ours"
    )
    goals = ", ".join(_goal(goal) for goal in row["goals"])
    spread = f"{ours['ms']:.4g} ({ours['low']:.4g}–{ours['high']:.4g})"
    return f"| {row['name']} | {spread} | {rate} | {row['floor_ms'] / ours['ms']:.0%} | {beside} | {goals} |"


def _times(ratio: float) -> str:
    """How many times as long the other one takes."""
    return f"{ratio:.2f} ×"


def _goal(goal: Mapping[str, Any]) -> str:
    wanted = goal["text"].replace(">=", "≥").replace(" x ", " × ")
    reached = f"{goal['reached']:.0%}" if "floor" in wanted else f"{goal['reached']:.2f} ×"
    return f"{wanted}: {'met' if goal['met'] else f'**missed**, {reached}'}"


if __name__ == "__main__":
    sys.stdout.write(table(json.loads(Path(sys.argv[1]).read_text())))
