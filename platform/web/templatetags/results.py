"""Checks and comparisons on the result page and beside the editor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from grader.contract import CheckResult, Comparison, Task
from grading.progress import CheckState, state_of

register = template.Library()

WORST: frozenset[CheckState] = frozenset({"failed", "error"})
FOLDED: frozenset[CheckState] = frozenset({"unwritten", "hidden"})


class AnyCheck(Protocol):
    """A check of a report, or its view on the result page (which also has a `state`)."""

    @property
    def score(self) -> float: ...
    @property
    def max_score(self) -> float: ...


@dataclass(frozen=True)
class CheckGroup:
    """Checks that fold into one row, and their points together."""

    checks: tuple[AnyCheck, ...]
    score: float
    max_score: float

    def __bool__(self) -> bool:
        return bool(self.checks)


@dataclass(frozen=True)
class CheckGroups:
    """The checks of one list: those that lost points, and the rest folded by state."""

    open: tuple[AnyCheck, ...]
    unwritten: CheckGroup
    passed: CheckGroup
    hidden: CheckGroup


@register.filter
def check_state(check: AnyCheck) -> CheckState:
    """The state of a check that ran: what its view says, else what its result means."""
    return state_of(check) if isinstance(check, CheckResult) else check.state  # type: ignore[attr-defined]


@register.filter
def grouped(checks: Iterable[AnyCheck]) -> CheckGroups:
    """What needs the student's eye first: points lost, the worst state first; then what is to be written, passed, or hidden."""
    listed = [(check, check_state(check)) for check in checks]
    lost = [pair for pair in listed if pair[0].score < pair[0].max_score and pair[1] not in FOLDED]
    lost.sort(key=lambda pair: pair[1] not in WORST)
    full = [check for check, state in listed if check.score >= check.max_score and state not in FOLDED]
    return CheckGroups(
        tuple(check for check, _ in lost),
        _group([check for check, state in listed if state == "unwritten"]),
        _group(full),
        _group([check for check, state in listed if state == "hidden"]),
    )


def _group(checks: list[AnyCheck]) -> CheckGroup:
    return CheckGroup(tuple(checks), sum(c.score for c in checks), sum(c.max_score for c in checks))


@register.filter
def columns(comparison: Comparison) -> int:
    """How many columns the values of both sides need."""
    return max(len(comparison.expected.values), len(comparison.got.values), 1)


@register.simple_tag
def off_cell(got: str, expected: str) -> SafeString:
    """A cell of the student's side, marked when it is not what was expected."""
    if got == expected:
        return format_html("<td>{}</td>", got)
    return format_html('<td class="is-off">{}<span class="visually-hidden"> (differs)</span></td>', got)


@register.filter
def task_title(task_id: str, tasks: Iterable[Task]) -> str:
    """`1` → `Task 1: Vector-Jacobian products`; empty for a cell that belongs to no task."""
    return next((f"Task {task.id}: {task.title}" for task in tasks if task.id == task_id), "")
