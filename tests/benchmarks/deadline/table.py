"""What is printed: one table for the rush, one for the growth, and sentences for whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .audit import quantile
from .rush import Outcome, Plan

GOAL_P99_S = 1.0
SHOWN = 5
WATCH = ", each opening the lab page, the result page and the stream of progress"


def rush_lines(name: str, plan: Plan, found: Outcome) -> list[str]:
    """The rush on one database as Markdown."""
    findings, answered = found.findings, [press.seconds for press in found.presses if press.status]
    graded = len(findings.finished_at)
    errors = len(findings.wrong) + len(found.seen.errors)
    meanwhile = _rate(found.graded_within, plan.seconds)
    p99 = quantile(answered, 0.99)
    lines = [
        f"### {name}: {plan.students} students × {plan.each} submissions in {plan.seconds:g} s{WATCH if plan.watch else ''}",
        "",
        "| | |",
        "|---|---|",
        f"| presses of *Submit*, double ones counted twice | {len(found.presses)} |",
        f"| accepted / refused / lost (goal 0) | {findings.accepted} / {findings.refused} / {len(findings.lost)} |",
        f"| errors (goal 0) | {errors} |",
        f"| “database is locked”, lines in all logs | {found.locked} |",
        f"| submit response p50 / p95 / p99 / longest | {_quantiles(answered)} |",
        f"| p99 ≤ {GOAL_P99_S:g} s | {'met' if p99 <= GOAL_P99_S else '**missed**'} |",
    ]
    lines += [f"| {kind} p50 / p95 / p99 / longest | {_quantiles(took)} |" for kind, took in found.seen.seconds.items()]
    lines += [
        f"| last press answered after | {found.sent_s:.1f} s |",
        f"| last score after | {found.scored_s:.1f} s |",
        f"| graded a minute: while they hand in / over all | {meanwhile} / {_rate(graded, found.scored_s)} |",
        f"| one submission alone on the quiet site, press to score | {found.alone_s * 1e3:.0f} ms |",
        f"| events of progress that browsers got | {found.seen.events} |",
        f"| CPU seconds | {_cpu(found.cpu_s)} |",
    ]
    troubles = [*findings.lost, *findings.wrong, *found.seen.errors]
    return [*lines, "", *(f"- {sentence}" for sentence in troubles[:SHOWN]), *_more(troubles)]


def growth_lines(sizes: Sequence[int], found: Mapping[str, Sequence[float]]) -> list[str]:
    """Median response times by the number of stored students."""
    heads = [
        "median response on the quiet site, three graded submissions a student",
        *(f"{size:,} students" for size in sizes),
    ]
    rows = [[name, *(f"{seconds * 1e3:.0f} ms" for seconds in row)] for name, row in found.items()]
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]


def _quantiles(seconds: Sequence[float]) -> str:
    return " / ".join(f"{quantile(seconds, share) * 1e3:.0f}" for share in (0.5, 0.95, 0.99, 1.0)) + " ms"


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds * 60:.0f}" if seconds else "–"


def _cpu(used: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.0f}" for name, seconds in used.items())


def _more(troubles: Sequence[str]) -> list[str]:
    return [f"- and {len(troubles) - SHOWN} more."] if len(troubles) > SHOWN else []
