"""A report as Gradescope's `results.json`.

A check is a test; a hidden one is visible after the scores are published, as hidden checks are here after the release. What staff alone may
know is not in it. `score` is the score that counts, with what staff set in place of the checks, so it overrides the tests' sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from grader.contract import CheckResult, Comparison, GradeReport, Measurement, Verdict

VISIBLE, AFTER_PUBLISHED = "visible", "after_published"
PASSED, FAILED = "passed", "failed"


class Test(msgspec.Struct, frozen=True, omit_defaults=True):
    """One check."""

    score: float
    max_score: float
    status: str
    name: str
    number: str
    visibility: str
    name_format: str = "text"
    output: str = ""
    output_format: str = ""
    tags: tuple[str, ...] = ()
    extra_data: dict[str, Any] = {}


class Results(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole file."""

    score: float
    tests: tuple[Test, ...]
    visibility: str
    execution_time: float = 0.0
    output: str = ""
    output_format: str = ""
    stdout_visibility: str = "hidden"
    extra_data: dict[str, Any] = {}

    def to_json(self) -> bytes:
        """As it is stored in `results/results.json`."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def results_of(report: GradeReport, *, score: Decimal | None, released: bool, about: dict[str, str]) -> Results:
    """The results of a report whose score counts as `score`. `released`: the hidden checks are visible. `about` names the submission."""
    said = "\n".join(part for part in (report.message, *report.notes) if part)
    return Results(
        score=float(score if score is not None else report.score),
        tests=tuple(_tests(report, hidden=VISIBLE if released else AFTER_PUBLISHED)),
        visibility=VISIBLE,
        execution_time=round(report.duration_ms / 1000, 3),
        output=said,
        output_format="text" if said else "",
        extra_data=about
        | {
            "lab": report.lab,
            "lab_version": report.lab_version,
            "outcome": report.outcome.value,
            "seed": report.seed,
            "checks_score": report.score,
            "max_score": report.max_score,
        },
    )


def _tests(report: GradeReport, *, hidden: str) -> Iterator[Test]:
    titles = {task.id: task.title for task in report.tasks}
    places = {task.id: place for place, task in enumerate(report.tasks, start=1)}
    counters = {task: count(1) for task in {*places, *(check.task for check in report.checks)}}
    for check in report.checks:
        output = _output(check)
        yield Test(
            score=check.score,
            max_score=check.max_score,
            status=PASSED if check.verdict == Verdict.PASSED else FAILED,
            name=check.title,
            number=f"{places.get(check.task, len(places) + 1)}.{next(counters[check.task])}",
            visibility=hidden if check.hidden else VISIBLE,
            output=output,
            output_format="text" if output else "",
            tags=(titles.get(check.task, check.task),),
            extra_data={
                "check": check.name,
                "verdict": check.verdict.value,
                "duration_s": round(check.duration_ms / 1000, 3),
            }
            | (_measured(check.measurement) if check.measurement else {}),
        )


def _output(check: CheckResult) -> str:
    """What the student reads of it here, as plain text."""
    parts = [check.message, check.hint, _compared(check.comparison) if check.comparison else "", check.output]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _compared(comparison: Comparison) -> str:
    sides = (("expected", comparison.expected), ("got", comparison.got))
    lines = [f"{word}: {side.shape} {side.dtype} [{', '.join(side.values)}]" for word, side in sides]
    error = f"largest error {comparison.max_error}, tolerance {comparison.tolerance}" if comparison.max_error else ""
    return "\n".join(line for line in (comparison.what, *lines, error) if line)


def _measured(measured: Measurement) -> dict[str, Any]:
    return {"measurement": msgspec.to_builtins(measured)}
