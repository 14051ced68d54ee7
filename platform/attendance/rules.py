"""Changing the rule: first a dry run that says whose share changes and by how much, then the act, which holds to what was shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.db import transaction

from accounts.models import User
from attendance.models import AttendanceRules
from attendance.records import REASON_MIN, RecordRefused
from attendance.rule import ParticipationScore, Rule, plain, score
from attendance.scores import rules_of, tallies
from audit.services import record
from courses.models import Enrollment, Offering


@dataclass(frozen=True)
class WantedRules:
    """What the instructor typed."""

    free_absences: int
    participation_share: int
    participation_target: Decimal
    code_every_s: int

    @property
    def rule(self) -> Rule:
        """What of it decides scores."""
        return Rule(self.free_absences, self.participation_share, Fraction(self.participation_target))


@dataclass(frozen=True)
class ShareChange:
    """One student whose share is another by the new rule."""

    enrollment: Enrollment
    before: ParticipationScore
    after: ParticipationScore

    @property
    def difference(self) -> Fraction | None:
        """How much more it is; None where there is no share before or after."""
        if self.before.share is None or self.after.share is None:
            return None
        return self.after.share - self.before.share


@dataclass(frozen=True)
class RulesOutcome:
    """What saving would do: nothing, or other codes only, or these students' shares. The largest change stands first."""

    before: WantedRules
    after: WantedRules
    changes: tuple[ShareChange, ...]
    students: int

    @property
    def is_empty(self) -> bool:
        """Whether everything stays as it is."""
        return self.before == self.after

    @property
    def digest(self) -> str:
        """Names this outcome: the rule before, and each share before and after."""
        shares = sorted((row.enrollment.pk, row.before.share, row.after.share) for row in self.changes)
        return hashlib.sha256(repr((self.before, self.after, shares)).encode()).hexdigest()


class RulesOutcomeChanged(Exception):  # noqa: N818 - a fact for the page to show
    """Saving would do something else by now than what the dry run showed."""

    def __init__(self, outcome: RulesOutcome) -> None:
        super().__init__(
            "Attendance was recorded or the rule was edited meanwhile. Nothing is saved; here is the new dry run."
        )
        self.outcome = outcome


def wanted_of(rules: AttendanceRules) -> WantedRules:
    """The stored rules as somebody would type them."""
    return WantedRules(
        rules.free_absences, rules.participation_share, Decimal(rules.participation_target), rules.code_every_s
    )


def dry_run(*, offering: Offering, wanted: WantedRules) -> RulesOutcome:
    """What saving these rules would do. Nothing is stored. Five queries."""
    before = wanted_of(rules_of(offering))
    students = list(Enrollment.objects.students().filter(offering=offering).select_related("user"))
    found = tallies(offering, [student.pk for student in students])
    rows = [
        ShareChange(student, score(found[student.pk], before.rule), score(found[student.pk], wanted.rule))
        for student in students
    ]
    changed = [row for row in rows if row.before.share != row.after.share]
    changed.sort(key=lambda row: abs(row.difference or Fraction(0)), reverse=True)
    return RulesOutcome(before, wanted, tuple(changed), len(students))


@transaction.atomic
def save_rules(*, offering: Offering, wanted: WantedRules, reason: str, seen: str, by: User) -> RulesOutcome:
    """Store the rules. `seen` is the digest of the dry run that the person decided on.

    Raises `RulesOutcomeChanged` when the outcome is another by now, and `RecordRefused` where nothing would change, or where shares
    change and no reason is given.
    """
    Offering.objects.select_for_update().get(pk=offering.pk)
    outcome = dry_run(offering=offering, wanted=wanted)
    if outcome.digest != seen:
        raise RulesOutcomeChanged(outcome)
    if outcome.is_empty:
        raise RecordRefused("The rules say that already, so there is nothing to save.")
    if outcome.changes and len(reason.strip()) < REASON_MIN:
        raise RecordRefused("Please give a reason: shares of the grade change, and the log keeps why.")
    stored, _ = AttendanceRules.objects.update_or_create(offering=offering, defaults=vars(wanted))
    record(
        actor=by,
        action="changed the attendance rules",
        subject=stored,
        offering_id=offering.pk,
        before=line(outcome.before),
        after=f"{line(wanted)}; {len(outcome.changes)} of {outcome.students} shares changed",
        reason=reason.strip(),
    )
    return outcome


def line(rules: WantedRules) -> str:
    """The rules in a line of the trail."""
    return (
        f"{rules.free_absences} free absences; participation {rules.participation_share} %, "
        f"all of it for {plain(Fraction(rules.participation_target))} points; a code lasts {rules.code_every_s} s"
    )
