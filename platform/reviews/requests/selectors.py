"""The pages of regrade requests: those of one score, the staff's queue, and one request to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q

from assignments.models import Kind
from courses.models import Enrollment
from reviews.models import RubricItem
from reviews.requests import rules
from reviews.requests.forms import AnswerForm, AskForm, WindowForm
from reviews.requests.models import RegradeRequest, RequestStatus
from reviews.requests.scores import ScoreNow, by_hand, score_now
from submissions.access import SubmissionAccess
from submissions.models import Submission
from submissions.texts import read_texts

PER_PAGE = 50


@dataclass(frozen=True)
class RequestsOfScore:
    """All requests about one score, oldest first, for the part of a page that shows them. `form` is there where the viewer may ask, or has
    just been refused: then it holds what they typed.

    `why_not` says to the student why they cannot ask. `until` is the last second of the window.
    """

    submission: Submission
    requests: tuple[RegradeRequest, ...]
    form: AskForm | None
    why_not: str
    until: datetime | None
    is_owner: bool
    is_staff: bool
    viewer_pk: int

    @property
    def shown(self) -> bool:
        """Whether there is anything to show: nothing is, until the score is released."""
        return bool(self.requests) or self.form is not None or (self.is_owner and self.until is not None)


@dataclass(frozen=True)
class QueueRow:
    """One request in the queue; `theirs`: the viewer graded it, so another grader answers."""

    request: RegradeRequest
    theirs: bool


@dataclass(frozen=True)
class QueuePage:
    """The requests of an offering that match the filters: open ones by age, others latest first."""

    rows: tuple[QueueRow, ...]
    pages: Page[RegradeRequest]
    counts: Mapping[str, int]
    state: str
    kind: str
    mine: bool
    kinds: tuple[tuple[str, str], ...]
    window: WindowForm | None
    days: int


@dataclass(frozen=True)
class AnswerPage:
    """One request with all that its grader needs. Without a score at present there is no form."""

    request: RegradeRequest
    score: ScoreNow | None
    form: AnswerForm | None
    why_not: str
    earlier: tuple[RegradeRequest, ...]
    texts: tuple[tuple[str, str], ...]
    by_hand: bool


def requests_of(access: SubmissionAccess, *, form: AskForm | None = None) -> RequestsOfScore:
    """The requests about one score, as this viewer sees them. Eight queries at most."""
    submission = access.submission
    is_owner = access.is_own
    until = rules.last_moment(submission)
    why_not = rules.why_not_ask(submission, access.viewer) if is_owner and until else ""
    return RequestsOfScore(
        submission=submission,
        requests=tuple(submission.regrade_requests.select_related("answered_by", "asked_by__user")),
        form=form or (AskForm(items=items_of(submission)) if is_owner and until and not why_not else None),
        why_not=why_not,
        until=until,
        is_owner=is_owner,
        is_staff=access.viewer.is_staff,
        viewer_pk=access.viewer.pk,
    )


def items_of(submission: Submission) -> list[RubricItem]:
    """What a request may be about."""
    return list(RubricItem.objects.filter(rubric__assignment=submission.assignment_id).order_by("position"))


def queue_page(
    viewer: Enrollment,
    *,
    state: str = "",
    kind: str = "",
    mine: bool = False,
    number: str = "1",
    window: WindowForm | None = None,
) -> QueuePage:
    """The staff's queue. Filters that are none of ours are left out. Five queries."""
    everything = RegradeRequest.objects.of_offering(viewer.offering)
    state = state if state in {*RequestStatus.values, "all"} else RequestStatus.OPEN
    kind = kind if kind in Kind.values else ""
    found = everything.with_people()
    found = found if state == "all" else found.filter(status=state)
    found = found.filter(submission__assignment__kind=kind) if kind else found
    found = found.exclude(grader_before=viewer.user) if mine else found
    found = found.order_by("asked_at", "pk") if state == RequestStatus.OPEN else found.order_by("-asked_at", "-pk")
    page = Paginator(found, PER_PAGE).get_page(number)
    days = viewer.offering.regrade_window_days
    return QueuePage(
        rows=tuple(QueueRow(row, row.is_open and row.grader_before_id == viewer.user_id) for row in page),
        pages=page,
        counts=_counts(viewer),
        state=state,
        kind=kind,
        mine=mine,
        kinds=tuple((value, f"{label}s") for value, label in Kind.choices),
        window=(window or WindowForm(initial={"days": days})) if viewer.is_instructor else None,
        days=days,
    )


def answer_page(viewer: Enrollment, request: RegradeRequest, *, form: AnswerForm | None = None) -> AnswerPage:
    """One request for staff, with the work that it is about."""
    score, why_not = score_now(request.submission), rules.why_not_answer(request, viewer)
    items = {item.task_id: item.title for item in items_of(request.submission)}
    texts = read_texts(request.submission) if by_hand(request.submission.assignment) else {}
    return AnswerPage(
        request=request,
        score=score,
        form=form or (AnswerForm(score=score) if score and not why_not else None),
        why_not=why_not,
        earlier=tuple(request.submission.regrade_requests.exclude(pk=request.pk).select_related("answered_by")),
        texts=tuple((items.get(item, item), text) for item, text in texts.items()),
        by_hand=by_hand(request.submission.assignment),
    )


def open_requests(viewer: Enrollment) -> int:
    """How many wait in the viewer's offering, for the navigation. One query."""
    return RegradeRequest.objects.of_offering(viewer.offering).open().count()


def _counts(viewer: Enrollment) -> dict[str, int]:
    states = {value: Count("pk", filter=Q(status=value)) for value in RequestStatus.values}
    found = RegradeRequest.objects.of_offering(viewer.offering).order_by()
    return {name: int(count) for name, count in found.aggregate(all=Count("pk"), **states).items()}
