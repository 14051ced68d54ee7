"""The rows of the table, and the goals that they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from .assignment import MAX_SCORE
from .submissions import CHEATS, cheats
from .submissions import System as AnySystem

OVERHEAD_MEDIAN_MS, OVERHEAD_P95_MS = 50.0, 150.0
TIMES_FASTER = {"plain": 20.0, "torch": 40.0}


@dataclass
class Row:
    """One system and variant. Seconds are for one submission; None where the question has no meaning."""

    system: str
    variant: str
    single_wall_s: float | None = None
    single_cpu_s: float | None = None
    batch_wall_s: float | None = None
    batch_cpu_s: float | None = None
    two_wall_s: float | None = None
    two_cpu_s: float | None = None
    peak_mib: float | None = None
    cheats: dict[str, float] = field(default_factory=dict)

    @property
    def best_s(self) -> float:
        """Wall seconds a submission in the faster of the two batches."""
        return min(s for s in (self.batch_wall_s, self.two_wall_s) if s is not None)


def table(rows: Sequence[Row], batch: int) -> str:
    """All rows as Markdown."""
    honest = {submission.name: submission.honest for submission in cheats(AnySystem.GRADLAB)}
    heads = ["system", "variant", "single: wall s", "CPU s"]
    heads += [f"batch of {batch}: wall s each", "CPU s each", "two processes at once: wall s each", "CPU s each"]
    heads += ["peak MiB", *(f"{told} ({honest[name]:g} of {MAX_SCORE})" for name, told in CHEATS.items())]
    lines = [heads, ["---"] * len(heads), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> list[str]:
    seconds = (row.single_wall_s, row.single_cpu_s, row.batch_wall_s, row.batch_cpu_s, row.two_wall_s, row.two_cpu_s)
    memory = "" if row.peak_mib is None else f"{row.peak_mib:.0f}"
    points = [f"{row.cheats[name]:g}" if name in row.cheats else "" for name in CHEATS]
    return [row.system, row.variant, *map(_seconds, seconds), memory, *points]


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if value >= 1 else f"{value:#.2g}"


def overhead_line(variant: str, overheads_s: Sequence[float]) -> str:
    """The judge's time above that of the same checks in one process, submission by submission."""
    middle, high = median(overheads_s) * 1e3, quantiles(overheads_s, n=20, method="inclusive")[-1] * 1e3
    met = _met(middle <= OVERHEAD_MEDIAN_MS and high <= OVERHEAD_P95_MS)
    return (
        f"- {variant}: the judge's overhead over the same checks in one imported process, {len(overheads_s)} submissions: "
        f"median {middle:.1f} ms (goal ≤ {OVERHEAD_MEDIAN_MS:g}), p95 {high:.1f} ms (goal ≤ {OVERHEAD_P95_MS:g}): {met}."
    )


def throughput_line(ours: Row, theirs: Row) -> str:
    """Batch throughput, the better of one process and two on either side."""
    times, goal = theirs.best_s / ours.best_s, TIMES_FASTER[ours.variant]
    return (
        f"- {ours.variant}: {1 / ours.best_s:.1f} submissions a second; {theirs.system} at its best {1 / theirs.best_s:.2f}. "
        f"{times:.0f} × as many (goal ≥ {goal:g} ×): {_met(times >= goal)}."
    )


def _met(met: bool) -> str:
    return "met" if met else "**missed**"
