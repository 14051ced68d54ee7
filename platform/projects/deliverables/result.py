"""What was handed in for a deliverable, with its marks as the viewer may see them."""

from __future__ import annotations

from dataclasses import dataclass

from assignments.due.rules import DueDate
from audit.models import AuditEvent
from audit.selectors import history_of
from courses.pages import StateChip
from projects.deliverables.models import Deliverable, SubmissionLink
from projects.deliverables.states import chip_of
from projects.format.selectors import FormatSummary, summaries_of
from reviews.marking.scores import HandScore, hand_scores
from reviews.marking.shown import GradeView, MarkView, grade_view, mark_views, retired_items
from reviews.models import RubricItem
from reviews.releases.standing import is_released
from reviews.requests.selectors import RequestsOfScore, requests_of
from submissions.access import SubmissionAccess
from submissions.models import Submission, SubmittedFile
from submissions.shared import authors_of, due_of, is_of


@dataclass(frozen=True)
class MarkedItem:
    """An item of the rubric, with its mark once the viewer may see it."""

    item: RubricItem
    mark: MarkView | None


@dataclass(frozen=True)
class ResultPage:
    """One submission. `grade` is None until the viewer may see it; `graded` says that there is one.

    `formats` says what its PDFs look like; `others` are the attempts that the viewer may open, oldest first;
    `counts` says whether this one does.
    """

    deliverable: Deliverable
    submission: Submission
    authors: tuple[str, ...]
    files: tuple[SubmittedFile, ...]
    link: SubmissionLink | None
    formats: tuple[FormatSummary, ...]
    due: DueDate
    chip: StateChip
    items: tuple[MarkedItem, ...]
    grade: GradeView | None
    graded: bool
    released: bool
    counts: bool
    others: tuple[Submission, ...]
    is_own: bool
    is_staff: bool
    requests: RequestsOfScore
    history: tuple[AuditEvent, ...]


def result_page(access: SubmissionAccess) -> ResultPage:
    """A submission for its authors or for staff. The number of queries grows with nothing."""
    submission, viewer = access.submission, access.viewer
    deliverable = Deliverable.objects.get(assignment=submission.assignment)
    deliverable.assignment = submission.assignment
    score, released = hand_scores([submission]).get(submission.pk), is_released(submission)
    shown = score if released or viewer.is_staff else None
    others = _others(access)
    return ResultPage(
        deliverable=deliverable,
        submission=submission,
        authors=authors_of(submission),
        files=tuple(submission.files.all()),
        link=SubmissionLink.objects.filter(submission=submission).first(),
        formats=tuple(summaries_of(submission)),
        due=due_of(submission, viewer=viewer.pk),
        chip=chip_of(
            deliverable,
            submission,
            accepts=False,
            is_open=True,
            score=score if released else None,
            graded=score is not None,
        ),
        items=_items(submission, shown),
        grade=grade_view(shown, for_staff=viewer.is_staff) if shown else None,
        graded=score is not None,
        released=released,
        counts=others[-1].pk == submission.pk,
        others=others,
        is_own=access.is_own,
        is_staff=viewer.is_staff,
        requests=requests_of(access),
        history=history_of(submission) if viewer.is_staff else (),
    )


def _others(access: SubmissionAccess) -> tuple[Submission, ...]:
    """Attempts of the same people: for an author those that are theirs, for staff those of the one who handed this one in."""
    submission, viewer = access.submission, access.viewer
    person = submission.enrollment_id if viewer.is_staff else viewer.pk
    return tuple(submission.assignment.submissions.filter(is_of([person])).distinct().order_by("pk"))


def _items(submission: Submission, shown: HandScore | None) -> tuple[MarkedItem, ...]:
    if shown is None:
        return ()
    items, marks = RubricItem.objects.filter(rubric__assignment=submission.assignment_id), mark_views(shown)
    return tuple(MarkedItem(item, marks.get(item.pk)) for item in (*items, *retired_items(shown)))
