"""The four acts on a regrade: start, discard, apply, revert. Each is one transaction with its line in the audit trail.

Every act first takes the lab's row, so that two people (or two clicks) act one after the other, and reads the regrade again.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Protocol

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment
from grader.contract import Outcome
from grading.models import GradingJob
from grading.selectors import jobs_of
from grading.services import request_trials, stop_trials
from reviews.regrades import rules
from reviews.regrades.changes import direction, record_changes
from reviews.regrades.mail import tell_students
from reviews.regrades.models import Act, LabRegrade, LabRegradeItem, Scope, ScoreChange
from reviews.regrades.rules import RegradeRefused
from reviews.regrades.standings import class_submissions, standings
from submissions.models import Submission


class Decision(Protocol):
    """What applying and reverting have in common."""

    def __call__(self, *, regrade: LabRegrade, reason: str, by: User, site: str) -> bool: ...


@transaction.atomic
def start(*, assignment: Assignment, scope: Scope, by: User) -> LabRegrade:
    """Run the lab's present version on attempts of the class. Nobody's score changes."""
    lab = _locked(assignment.pk).lab
    if lab is None:
        raise RegradeRefused("The lab is not published yet, so there is nothing to regrade.")
    latest = LabRegrade.objects.filter(assignment=assignment).first()
    if latest is not None and latest.is_open:
        raise RegradeRefused(f"Regrade {latest.number} is a dry run already. Apply or discard it first.")
    submissions = _submissions_in(scope, assignment)
    if not submissions:
        raise RegradeRefused("Nobody has submitted yet, so there is nothing to regrade.")
    regrade = LabRegrade.objects.create(
        assignment=assignment,
        number=latest.number + 1 if latest else 1,
        lab=lab,
        scope=scope,
        started_at=clock.now(),
        started_by=by,
    )
    jobs = request_trials(submissions=submissions, lab=lab)
    items = [
        LabRegradeItem(regrade=regrade, submission=row, job=job) for row, job in zip(submissions, jobs, strict=True)
    ]
    LabRegradeItem.objects.bulk_create(items)
    _record(regrade, by, "started a dry run", after=f"{len(jobs)} attempts under {lab}")
    return regrade


@transaction.atomic
def discard(*, regrade: LabRegrade, by: User) -> bool:
    """End a dry run without effect and stop what still runs of it; False when somebody did before."""
    fresh = _fresh(regrade)
    if fresh.discarded_at is not None:
        return False
    rules.check(rules.why_not_discard(fresh))
    fresh.discarded_at, fresh.discarded_by = clock.now(), by
    fresh.save(update_fields=["discarded_at", "discarded_by"])
    stop_trials(job_ids=list(fresh.items.values_list("job_id", flat=True)))
    _record(fresh, by, "discarded a dry run")
    return True


@transaction.atomic
def apply(*, regrade: LabRegrade, reason: str, by: User, site: str) -> bool:
    """Let the reports of the dry run count; False when somebody did before. Attempts whose run gave no score keep theirs.

    `site` is the address that mails to students point at.
    """
    fresh = _fresh(regrade)
    if fresh.applied_at is not None:
        return False
    rules.check(rules.why_not_apply(fresh))
    rules.check_reason(reason)
    _keep_reports_of_before(fresh)
    fresh.applied_at, fresh.applied_by, fresh.reason = clock.now(), by, reason.strip()
    fresh.save(update_fields=["applied_at", "applied_by", "reason"])
    changes = record_changes(fresh, Act.APPLIED, partial(_count, fresh, counts=True))
    _record(fresh, by, "applied a regrade", after=_summary(changes), reason=fresh.reason)
    _tell(changes, site)
    return True


@transaction.atomic
def revert(*, regrade: LabRegrade, reason: str, by: User, site: str) -> bool:
    """Let the reports of the regrade count no longer, so that every earlier score is back; False when it was done before."""
    fresh = _fresh(regrade)
    if fresh.reverted_at is not None:
        return False
    rules.check(rules.why_not_revert(fresh))
    rules.check_reason(reason)
    fresh.reverted_at, fresh.reverted_by, fresh.revert_reason = clock.now(), by, reason.strip()
    fresh.save(update_fields=["reverted_at", "reverted_by", "revert_reason"])
    changes = record_changes(fresh, Act.REVERTED, partial(_count, fresh, counts=False))
    _record(fresh, by, "reverted a regrade", after=_summary(changes), reason=fresh.revert_reason)
    _tell(changes, site)
    return True


def mark_seen(*, enrollment: Enrollment, assignment: Assignment) -> int:
    """Take this student's notices about a lab off their first page; the result page keeps the latest."""
    changes = ScoreChange.objects.filter(enrollment=enrollment, regrade__assignment=assignment, seen_at=None)
    return changes.update(seen_at=clock.now())


def _locked(assignment_id: int) -> Assignment:
    return Assignment.objects.select_for_update(of=("self",)).select_related("lab").get(pk=assignment_id)


def _fresh(regrade: LabRegrade) -> LabRegrade:
    assignment = _locked(regrade.assignment_id)
    fresh = LabRegrade.objects.get(pk=regrade.pk)
    fresh.assignment = assignment
    return fresh


def _submissions_in(scope: Scope, assignment: Assignment) -> list[Submission]:
    submissions = class_submissions(assignment.pk)
    if scope == Scope.ALL:
        return submissions
    return [standing.counting.submission for standing in standings(submissions).values()]


def _keep_reports_of_before(regrade: LabRegrade) -> None:
    items = list(regrade.items.all())
    counted = jobs_of([item.submission_id for item in items])
    for item in items:
        item.before = counted[item.submission_id].graded if item.submission_id in counted else None
    LabRegradeItem.objects.bulk_update(items, ["before"])


def _count(regrade: LabRegrade, *, counts: bool) -> None:
    """A run without a score never counts: what stood before it goes on standing."""
    jobs = GradingJob.objects.filter(regrade_item__regrade=regrade, stored_report__outcome=Outcome.GRADED)
    jobs.update(counts=counts)


def _summary(changes: list[ScoreChange]) -> str:
    ways = Counter(direction((row.before, row.before_max), (row.after, row.after_max)) for row in changes)
    return f"{ways['up']} up, {ways['down']} down, {ways['same']} the same"


def _tell(changes: list[ScoreChange], site: str) -> None:
    told = [change.pk for change in changes if change.tells]
    transaction.on_commit(partial(tell_students, told, site=site))


def _record(regrade: LabRegrade, by: User, action: str, *, after: str = "", reason: str = "") -> None:
    offering_id = regrade.assignment.offering_id
    record(actor=by, action=action, subject=regrade, offering_id=offering_id, after=after, reason=reason)
