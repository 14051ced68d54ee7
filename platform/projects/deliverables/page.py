"""The page of a deliverable for a student: what is asked for, by when, and their team's work."""

from __future__ import annotations

from dataclasses import dataclass, field

from assignments.due.rules import DueDate
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from projects.deliverables.crew import Crew, crew_of, due_dates
from projects.deliverables.models import Deliverable
from projects.deliverables.states import attempts_of, chip_of, graded_among
from projects.deliverables.uploads import PDF, PDF_MAX_MB, URL_MAX, ZIP, ZIP_MAX_MB
from reviews.marking.scores import hand_scores
from reviews.models import RubricItem
from reviews.releases.standing import is_released
from submissions.models import Submission
from submissions.services import SubmissionRefused


@dataclass(frozen=True)
class Limits:
    """What is taken, in one place for page and browser."""

    pdf: str = PDF
    pdf_mb: int = PDF_MAX_MB
    zip: str = ZIP
    zip_mb: int = ZIP_MAX_MB
    url_max: int = URL_MAX


@dataclass(frozen=True)
class DeliverablePage:
    """One deliverable for one student. `attempts` are those that the student is an author of, newest first.

    `before_you` is the team's latest submission where the student is no author of it, because they joined later. `refusal` answers
    one post, and `url` is the address that came with it.
    """

    deliverable: Deliverable
    items: tuple[RubricItem, ...]
    due: DueDate
    chip: StateChip
    crew: Crew
    accepts: bool
    attempts: tuple[Submission, ...]
    before_you: Submission | None
    client_token: str
    refusal: SubmissionRefused | None
    url: str
    limits: Limits = field(default_factory=Limits)


def deliverable_page(
    enrollment: Enrollment,
    deliverable: Deliverable,
    *,
    client_token: str,
    refusal: SubmissionRefused | None = None,
    url: str = "",
) -> DeliverablePage:
    """The page as it is now. The number of queries grows with nothing."""
    now, assignment, crew = clock.now(), deliverable.assignment, crew_of(enrollment)
    due = due_dates(enrollment, crew.pks, [assignment])[assignment.pk]
    attempts = attempts_of(enrollment, [deliverable]).get(assignment.pk, ())
    latest = attempts[-1] if attempts else None
    accepts = now.replace(microsecond=0) <= due.due_at
    score = hand_scores([latest]).get(latest.pk) if latest and is_released(latest) else None
    return DeliverablePage(
        deliverable=deliverable,
        items=tuple(RubricItem.objects.filter(rubric__assignment=assignment)),
        due=due,
        chip=chip_of(deliverable, latest, accepts=accepts, is_open=True, score=score, graded=_is_graded(latest)),
        crew=crew,
        accepts=accepts,
        attempts=tuple(reversed(attempts)),
        before_you=_before_you(crew, deliverable, latest),
        client_token=client_token,
        refusal=refusal,
        url=url,
    )


def _is_graded(latest: Submission | None) -> bool:
    return latest is not None and bool(graded_among([latest]))


def _before_you(crew: Crew, deliverable: Deliverable, latest: Submission | None) -> Submission | None:
    if crew.team is None:
        return None
    work = Submission.objects.filter(team_submission__team=crew.team, assignment=deliverable.assignment)
    newest = work.order_by("-pk").first()
    return newest if newest != latest else None
