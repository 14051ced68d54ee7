"""Who may see and change rubrics: staff read them and keep comments, instructors change them. A lab's rubric follows its tasks."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404

from accounts.models import User
from courses.access import get_instructor_enrollment, get_staff_enrollment
from courses.models import Enrollment
from reviews.marking.models import Adjustment
from reviews.models import Rubric, RubricItem
from reviews.rubrics.models import BankComment, RubricChange
from reviews.rubrics.rules import BY_HAND
from submissions.access import SubmissionAccess, get_staff_submission_for


def get_rubric_for(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Rubric]:
    """The rubric of an assignment that is marked by hand, for staff; not stored yet where it has none."""
    enrollment = get_staff_enrollment(user, offering_slug)
    assignments = enrollment.offering.assignments.select_related("offering__course", "rubric")
    assignment = assignments.filter(slug=slug, kind__in=BY_HAND, scored_elsewhere=False).first()
    if assignment is None:
        raise Http404("There is no such assignment, or it is not marked by hand.")
    rubric = getattr(assignment, "rubric", None) or Rubric(assignment=assignment)
    rubric.assignment = assignment
    return enrollment, rubric


def get_rubric_to_edit(user: User, offering_slug: str, slug: str) -> tuple[Enrollment, Rubric]:
    """The same, for instructors alone."""
    get_instructor_enrollment(user, offering_slug)
    return get_rubric_for(user, offering_slug, slug)


def get_change_for(user: User, offering_slug: str, slug: str, pk: int) -> tuple[Enrollment, Rubric, RubricChange]:
    """A change of this rubric, for staff."""
    enrollment, rubric = get_rubric_for(user, offering_slug, slug)
    changes = RubricChange.objects.select_related("made_by", "reverted_by")
    change = changes.filter(pk=pk, edits__rubric=rubric.pk).first()
    if change is None:
        raise Http404("This rubric has no such change.")
    return enrollment, rubric, change


def get_bank_item_for(user: User, offering_slug: str, slug: str, item: str) -> tuple[Enrollment, RubricItem]:
    """An item of this rubric by its id as it was posted, for staff."""
    enrollment, rubric = get_rubric_for(user, offering_slug, slug)
    found = RubricItem.objects.filter(rubric=rubric.pk, pk=int(item)).first() if _is_id(item) else None
    if found is None:
        raise Http404("The rubric has no such item.")
    found.rubric = rubric
    return enrollment, found


def get_comment_for(user: User, offering_slug: str, slug: str, pk: int) -> BankComment:
    """A comment of this rubric's bank, for staff."""
    _, rubric = get_rubric_for(user, offering_slug, slug)
    comments = BankComment.objects.select_related("item__rubric__assignment")
    comment = comments.filter(pk=pk, item__rubric=rubric.pk).first()
    if comment is None:
        raise Http404("The bank has no such comment.")
    return comment


def get_adjustment_for(user: User, pk: int) -> tuple[SubmissionAccess, Adjustment]:
    """An adjustment, withdrawn or not, for staff of its submission's offering."""
    adjustment = Adjustment.ever.filter(pk=pk).first()
    if adjustment is None:
        raise Http404("There is no such adjustment.")
    return get_staff_submission_for(user, adjustment.submission_id), adjustment


def get_source_for(user: User, rubric: Rubric, pk: str) -> Rubric:
    """Another rubric that the person may copy: of any offering whose staff they are."""
    found = sources_for(user, rubric).filter(pk=int(pk)).first() if _is_id(pk) else None
    if found is None:
        raise Http404("There is no such rubric to copy.")
    return found


def sources_for(user: User, rubric: Rubric) -> QuerySet[Rubric]:
    """Every rubric with items, marked by hand, of the offerings whose staff the person is; without this one."""
    staffed = Enrollment.objects.staff().filter(user=user).values("offering")
    filled = RubricItem.objects.order_by().values("rubric")
    rubrics = Rubric.objects.filter(
        assignment__offering__in=staffed, assignment__kind__in=BY_HAND, pk__in=filled
    ).exclude(pk=rubric.pk)
    ordered = rubrics.order_by("-assignment__offering__starts_on", "assignment__kind", "assignment__number")
    return ordered.select_related("assignment__offering__course")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
