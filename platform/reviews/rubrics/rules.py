"""Which rubrics belong together, and when a change can be taken back."""

from __future__ import annotations

from django.db.models import F, QuerySet

from assignments.models import Assignment, Kind
from reviews.models import Rubric
from reviews.rubrics.models import MarkChange, RubricChange, RubricEdit

# a lab's rubric follows its tasks
BY_HAND = (Kind.READING, Kind.DELIVERABLE)


def of_its_kind(assignment: Assignment) -> QuerySet[Rubric]:
    """The rubrics of the other assignments of this kind in the offering."""
    siblings = Rubric.objects.filter(assignment__offering=assignment.offering_id, assignment__kind=assignment.kind)
    return siblings.exclude(assignment=assignment)


def latest_edit(rubric: Rubric) -> RubricEdit | None:
    """What was done to it last. One query."""
    edits = RubricEdit.objects.filter(rubric=rubric.pk).order_by("-pk")
    return edits.select_related("change__made_by", "change__reverted_by").first()


def why_not_revert(change: RubricChange) -> str:
    """Why this act cannot be taken back, in a sentence; empty when it can. Two queries."""
    if change.reverted_at is not None:
        return "This change is reverted already."
    edited = change.edits.exclude(rubric__revision=F("revision")).select_related("rubric__assignment").first()
    if edited is not None:
        return f"The rubric of {edited.rubric.assignment} was changed after this, so this change cannot be taken back."
    marked = MarkChange.objects.filter(edit__change=change).exclude(review__revision=F("revision"))
    if again := marked.values("review").distinct().order_by().count():
        which = "One review was" if again == 1 else f"{again} reviews were"
        return f"{which} saved again after this, so this change cannot be taken back. Edit the rubric instead."
    return ""
