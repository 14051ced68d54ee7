"""Changing the grading scheme and taking that back: each is one transaction, one revision and one line in the audit log."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from audit.services import record
from config import clock
from courses.models import Offering
from gradebook.models import Component, GradePolicy, LetterCutoff, PolicyChange
from gradebook.policies.differences import describe
from gradebook.policies.outcome import Outcome
from gradebook.policies.rules import what_is_wrong
from gradebook.policies.spec import SchemeSpec, from_data, spec_of
from gradebook.policies.trial import try_out, why_stay
from gradebook.sources.collect import collect

REASON_MIN = 3


class SchemeRefused(Exception):  # noqa: N818 - an answer to the instructor, not a fault
    """A scheme that cannot be saved; the text says why. Nothing was changed."""


class SchemeConflict(Exception):  # noqa: N818 - a fact for the page to resolve
    """Somebody changed the scheme since the page was read."""

    def __init__(self, offering: Offering) -> None:
        super().__init__(f"{_who_was_last(offering) or 'Somebody'} has changed the grading scheme since you opened it.")


class OutcomeChanged(Exception):  # noqa: N818 - a fact for the page to show
    """Saving would do something else by now than what the dry run showed."""

    def __init__(self) -> None:
        super().__init__("Somebody graded since this dry run was made. Nothing is saved; here is the new one.")


def revision_of(offering: Offering) -> int:
    """How often the scheme was changed; what an editor builds on. One query."""
    return GradePolicy.objects.filter(offering=offering).values_list("revision", flat=True).first() or 0


@transaction.atomic
def change_scheme(
    *, offering: Offering, spec: SchemeSpec, by: User | None, reason: str, revision: int | None = None, seen: str = ""
) -> PolicyChange:
    """Store the scheme over revision `revision` (None: whatever stands), as one change that can be taken back.

    `seen` is the digest of the dry run that the person decided on; empty: whatever comes out. Raises `SchemeConflict` when the stored
    revision is another, `OutcomeChanged` when the outcome is, and `SchemeRefused` for a scheme that cannot stand or changes nothing.
    """
    policy = _locked(offering)
    if revision is not None and policy.revision != revision:
        raise SchemeConflict(offering)
    if wrong := what_is_wrong(spec):
        raise SchemeRefused(" ".join(row.sentence for row in wrong))
    outcome = _checked(offering, spec, seen)
    if not outcome.words:
        raise SchemeRefused("Nothing was changed, so there is nothing to save.")
    if outcome.students and len(reason.strip()) < REASON_MIN:
        raise SchemeRefused("Please give a reason: grades change, and the log keeps why.")
    _write(policy, spec)
    change = PolicyChange.objects.create(
        offering=offering,
        revision=policy.revision,
        before=outcome.before.to_data(),
        after=spec.to_data(),
        reason=reason.strip(),
        made_by=by,
        made_at=clock.now(),
    )
    _record(change, outcome, by, "changed the grading scheme", reason.strip())
    return change


@transaction.atomic
def revert(*, change: PolicyChange, by: User, seen: str = "") -> bool:
    """Bring back the scheme as it was before this change, exactly; False when somebody did already.

    Raises `SchemeRefused` when the scheme is not as this change left it, or what was added since is in use, and `OutcomeChanged` as above.
    """
    policy = _locked(change.offering)
    fresh = PolicyChange.objects.select_for_update().get(pk=change.pk)
    if fresh.reverted_at is not None:
        return False
    if why_not := why_not_revert(fresh):
        raise SchemeRefused(why_not)
    before = from_data(fresh.before)
    outcome = _checked(fresh.offering, before, seen)
    _write(policy, before)
    fresh.reverted_at, fresh.reverted_by = clock.now(), by
    fresh.save(update_fields=["reverted_at", "reverted_by"])
    why = f"reverted: {fresh.reason}" if fresh.reason else "reverted"
    _record(fresh, outcome, by, "reverted a change of the grading scheme", why)
    return True


def why_not_revert(change: PolicyChange) -> str:
    """Why this change cannot be taken back, in a sentence; empty when it can. Three queries."""
    if change.reverted_at is not None:
        return "This change is reverted already."
    if spec_of(change.offering) != from_data(change.after):
        return "The grading scheme was changed after this. Revert the later changes first, or edit the scheme."
    return ""


def _who_was_last(offering: Offering) -> User | None:
    """Who made or reverted a change last."""
    rows = offering.policy_changes.select_related("made_by", "reverted_by")
    acts = [(row.made_at, row.made_by) for row in rows]
    acts += [(row.reverted_at, row.reverted_by) for row in rows if row.reverted_at]
    return max(acts, key=lambda act: act[0])[1] if acts else None


def _locked(offering: Offering) -> GradePolicy:
    """The policy's row; changes of one scheme follow one another."""
    GradePolicy.objects.get_or_create(offering=offering)
    return GradePolicy.objects.select_for_update().get(offering=offering)


def _checked(offering: Offering, spec: SchemeSpec, seen: str) -> Outcome:
    """What it does by now, if that may be done."""
    book = collect(offering)
    if stay := why_stay(offering, book, spec):
        raise SchemeRefused(" ".join(stay))
    outcome = try_out(offering, spec, book=book)
    if seen and outcome.digest != seen:
        raise OutcomeChanged
    return outcome


def _write(policy: GradePolicy, spec: SchemeSpec) -> None:
    """Make the stored rows say this. A component that stays keeps its row, and with it what staff decided there."""
    offering = policy.offering
    Component.objects.filter(offering=offering).exclude(kind__in=[row.kind for row in spec.components]).delete()
    for position, row in enumerate(spec.components, start=1):
        values = {
            "name": row.name,
            "weight": row.weight,
            "count": row.count,
            "drop_lowest": row.drop_lowest,
            "by_points": row.by_points,
            "extra_credit": row.extra_credit,
            "position": position,
        }
        Component.objects.update_or_create(offering=offering, kind=row.kind, defaults=values)
    LetterCutoff.objects.filter(offering=offering).exclude(letter__in=[row.letter for row in spec.letters]).delete()
    for position, letter in enumerate(spec.letters, start=1):
        cutoff = {"absolute": letter.absolute, "share": letter.share, "position": position}
        LetterCutoff.objects.update_or_create(offering=offering, letter=letter.letter, defaults=cutoff)
    policy.relative_from, policy.round_to = spec.relative_from, spec.round_to
    policy.show_letters, policy.revision = spec.show_letters, policy.revision + 1
    policy.save()


def _record(change: PolicyChange, outcome: Outcome, by: User | None, action: str, reason: str) -> None:
    students, letters = len(outcome.students), outcome.new_letters
    told = f"{students} of {outcome.size} students' grades changed, {letters} letters"
    record(
        actor=by,
        action=action,
        subject=change,
        offering_id=change.offering_id,
        before=describe(outcome.before),
        after=f"{describe(outcome.after)}\n{told}",
        reason=reason,
    )
