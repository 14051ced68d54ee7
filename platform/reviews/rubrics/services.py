"""Saving a rubric, with or without its marks, and taking that back: each is one transaction with its lines in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from reviews.marking.models import Mark, Review
from reviews.marking.services import REASON_MIN, ReviewRefused, number
from reviews.models import Rubric
from reviews.rubrics.models import MarkChange, RubricChange, RubricEdit
from reviews.rubrics.plan import Plan, Remark, RubricPlan, plan
from reviews.rubrics.rules import latest_edit, of_its_kind, why_not_revert
from reviews.rubrics.spec import RubricSpec, for_another, from_json, spec_of
from reviews.rubrics.words import describe
from reviews.rubrics.writing import remark_all, write
from submissions.models import Submission


class RubricConflict(Exception):  # noqa: N818 - a fact for the page to resolve
    """Somebody saved this rubric since the page was read."""

    def __init__(self, rubric: Rubric) -> None:
        edit = latest_edit(rubric)
        who = (edit.change.reverted_by or edit.change.made_by) if edit else None
        super().__init__(f"{who or 'Somebody'} has saved this rubric since you opened it.")
        self.rubric = rubric


class OutcomeChanged(Exception):  # noqa: N818 - a fact for the page to show
    """Saving would do something else by now than what the dry run showed."""

    def __init__(self, outcome: Plan) -> None:
        super().__init__(
            "Somebody graded or edited since this dry run was made. Nothing is saved; here is the new one."
        )
        self.outcome = outcome


def rubric_of(assignment: Assignment) -> Rubric:
    """The assignment's rubric; an empty one where it has none yet."""
    rubric, _ = Rubric.objects.get_or_create(assignment=assignment)
    rubric.assignment = assignment
    return rubric


def dry_run(*, assignment: Assignment, spec: RubricSpec, also: bool) -> Plan:
    """What saving would do. Nothing is stored."""
    return plan(_edits(assignment, spec, _rubrics(assignment, also=also)))


@transaction.atomic
def save_rubric(
    *,
    assignment: Assignment,
    spec: RubricSpec,
    revision: int,
    by: User,
    reapply: bool,
    also: bool = False,
    reason: str = "",
    seen: str = "",
) -> RubricChange:
    """Store the rubric over revision `revision`, `also` those of its kind in the offering, and re-apply marks if asked.

    `seen` is the digest of the dry run that the person decided on; empty: whatever comes out. Raises `RubricConflict` when the
    stored revision is another, `OutcomeChanged` when the outcome is, and `ReviewRefused` when there is nothing to save.
    """
    rubrics = _rubrics(assignment, also=also, lock=True)
    if rubrics[0].revision != revision:
        raise RubricConflict(rubrics[0])
    if reapply:  # graders who save meanwhile wait, and then meet a newer revision
        _lock_submissions(rubrics)
    outcome = plan(_edits(assignment, spec, rubrics))
    if seen and not outcome.is_as_seen(seen, with_marks=reapply):
        raise OutcomeChanged(outcome)
    if outcome.is_empty or not (reapply or any(part.changes for part in outcome.parts)):
        raise ReviewRefused("Nothing was changed, so there is nothing to save.")
    if reapply and outcome.students and len(reason.strip()) < REASON_MIN:
        raise ReviewRefused("Please give a reason: scores change, and the log keeps why.")
    change = RubricChange.objects.create(made_at=clock.now(), made_by=by, reapplied=reapply, reason=reason.strip())
    for part in outcome.parts:
        if part.changes or (reapply and part.remarks):
            _save_part(change, part)
    return change


@transaction.atomic
def revert(*, change: RubricChange, by: User) -> bool:
    """Bring back the rubrics and the marks as they were before this act; False when somebody did already.

    Raises `ReviewRefused` with the reason when something else changed them since.
    """
    list(Rubric.objects.select_for_update(of=("self",)).filter(edits__change=change).order_by("pk"))
    fresh = RubricChange.objects.select_for_update().get(pk=change.pk)
    if fresh.reverted_at is not None:
        return False
    marked = Review.objects.filter(mark_changes__edit__change=change).order_by().values("submission")
    list(Submission.objects.select_for_update(of=("self",)).filter(pk__in=marked).order_by("pk"))
    if why_not := why_not_revert(fresh):
        raise ReviewRefused(why_not)
    fresh.reverted_at, fresh.reverted_by = clock.now(), by
    fresh.save(update_fields=["reverted_at", "reverted_by"])
    for edit in fresh.edits.select_related("rubric__assignment", "change"):
        _take_back(edit, by)
    return True


def _rubrics(assignment: Assignment, *, also: bool, lock: bool = False) -> list[Rubric]:
    """This one first, then those that get the same."""
    own = rubric_of(assignment)
    wanted = [own.pk, *(of_its_kind(assignment).values_list("pk", flat=True) if also else ())]
    rows = Rubric.objects.filter(pk__in=wanted).order_by("pk")
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = list(rows.select_related("assignment__offering").prefetch_related("items__levels"))
    return sorted(found, key=lambda row: row.pk != own.pk)


def _edits(assignment: Assignment, spec: RubricSpec, rubrics: Sequence[Rubric]) -> list[tuple[Rubric, RubricSpec]]:
    assert rubrics[0].assignment_id == assignment.pk
    return [(rubrics[0], spec), *((other, for_another(spec, spec_of(other))) for other in rubrics[1:])]


def _lock_submissions(rubrics: Sequence[Rubric]) -> None:
    reviewed = Review.objects.filter(submission__assignment__rubric__in=rubrics).order_by().values("submission")
    list(Submission.objects.select_for_update(of=("self",)).filter(pk__in=reviewed).order_by("pk"))


def _save_part(change: RubricChange, part: RubricPlan) -> None:
    offering_id = part.assignment.offering_id
    after = write(part.rubric, part.after, change.made_at)
    edit = RubricEdit.objects.create(
        change=change,
        rubric=part.rubric,
        revision=part.rubric.revision,
        before=part.before.to_json(),
        after=after.to_json(),
    )
    record(
        actor=change.made_by,
        action="changed a rubric and re-applied it" if change.reapplied else "changed a rubric",
        subject=part.rubric,
        offering_id=offering_id,
        before=describe(part.before),
        after="\n".join((describe(after), *(_student_lines(part) if change.reapplied else ()))),
        reason=change.reason,
    )
    if change.reapplied:
        revisions = remark_all(
            part.remarks,
            by=change.made_by,
            action="re-applied the rubric",
            offering_id=offering_id,
            reason=change.reason,
        )
        MarkChange.objects.bulk_create(_kept(edit, row, revisions) for row in part.remarks)


def _take_back(edit: RubricEdit, by: User) -> None:
    assignment, before = edit.rubric.assignment, from_json(edit.before)
    why = f"reverted: {edit.change.reason}" if edit.change.reason else "reverted"
    after = write(edit.rubric, before, clock.now())
    record(
        actor=by,
        action="reverted a change of a rubric",
        subject=edit.rubric,
        offering_id=assignment.offering_id,
        before=describe(from_json(edit.after)),
        after=describe(after),
        reason=why,
    )
    kept = {(row.review_id, row.item_id): row for row in edit.marks.all()}
    marks = Mark.objects.filter(review__mark_changes__edit=edit).distinct()
    back = [
        Remark(mark, row.title_before, row.points_before, row.score_before)
        for mark in marks
        if (row := kept.get((mark.review_id, mark.item_id)))
    ]
    remark_all(back, by=by, action="reverted the rubric", offering_id=assignment.offering_id, reason=why)


def _student_lines(part: RubricPlan) -> list[str]:
    return [
        f"{row.name}: {number(row.before)} of {number(row.before_max)} → {number(row.after)} of {number(row.after_max)}"
        for row in part.students
    ]


def _kept(edit: RubricEdit, row: Remark, revisions: Mapping[int, int]) -> MarkChange:
    mark = row.mark
    return MarkChange(
        edit=edit,
        review_id=mark.review_id,
        item_id=mark.item_id,
        revision=revisions[mark.review_id],
        title_before=mark.title,
        title_after=row.title,
        points_before=mark.points,
        points_after=row.points,
        score_before=mark.score,
        score_after=row.score,
    )
