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


class AnyCheck(Protocol):
    """A check of a report, or its view on the result page (which also has a `state`)."""

    @property
    def score(self) -> float: ...
    @property
    def max_score(self) -> float: ...


@dataclass(frozen=True)
class CheckGroups:
    """The checks of one list: those that lost points, and the rest folded by state. Points are what a folded group is worth."""

    open: tuple[AnyCheck, ...]
    passed: tuple[AnyCheck, ...]
    hidden: tuple[AnyCheck, ...]
    passed_points: float
    hidden_points: float


@register.filter
def check_state(check: AnyCheck) -> CheckState:
    """The state of a check that ran: what its view says, else what its result means."""
    return state_of(check) if isinstance(check, CheckResult) else check.state  # type: ignore[attr-defined]


@register.filter
def grouped(checks: Iterable[AnyCheck]) -> CheckGroups:
    """What needs the student's eye first: points lost, the worst state first; passed and hidden ones with all points after it."""
    listed = list(checks)
    lost = sorted(
        (check for check in listed if check.score < check.max_score), key=lambda check: check_state(check) not in WORST
    )
    full = [check for check in listed if check.score >= check.max_score]
    hidden = tuple(check for check in full if check_state(check) == "hidden")
    passed = tuple(check for check in full if check_state(check) != "hidden")
    return CheckGroups(tuple(lost), passed, hidden, _points(passed), _points(hidden))


def _points(checks: Iterable[AnyCheck]) -> float:
    return sum(check.max_score for check in checks)


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
