"""What is compared: the text of the latest submission of each student, here and in earlier offerings of the course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from django.db.models import Max, QuerySet

from assignments.models import Assignment
from reviews.models import RubricItem
from reviews.similar.models import SimilarSearch
from reviews.similar.shingles import Shingles, shingles_of
from submissions import storage
from submissions.models import Submission

SUFFIXES = (".md", ".txt")
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Text:
    """A submission with its texts by file name, and the person who wrote it."""

    submission: Submission
    owner: int
    texts: Mapping[str, str]
    runs: Shingles


def same_work(assignment: Assignment) -> QuerySet[Assignment]:
    """This assignment, and those of its kind and title in the course's offerings that began no later."""
    offering = assignment.offering
    return Assignment.objects.filter(
        kind=assignment.kind,
        title__iexact=assignment.title,
        offering__course_id=offering.course_id,
        offering__starts_on__lte=offering.starts_on,
    )


def latest_works(assignment: Assignment) -> QuerySet[Submission]:
    """The latest submission of everybody who handed in one, also of those who dropped since."""
    newest = (
        Submission.objects.filter(assignment__in=same_work(assignment))
        .order_by()
        .values("assignment", "enrollment")
        .annotate(newest=Max("pk"))
        .values("newest")
    )
    return Submission.objects.filter(pk__in=newest).select_related("enrollment").prefetch_related("files")


def read(submissions: Iterable[Submission]) -> list[Text]:
    """Each submission as text. One read a file, and no query where the files are fetched already."""
    return [
        Text(submission, submission.enrollment.user_id, texts, shingles_of(texts.values()))
        for submission in submissions
        for texts in (texts_of(submission),)
    ]


def texts_of(submission: Submission) -> dict[str, str]:
    """What can be read of a submission, by file name, in order: items written here, and uploaded Markdown or plain text."""
    found = {}
    for file in submission.files.all():
        if file.name.lower().endswith(SUFFIXES):
            try:
                found[file.name] = storage.read(file.sha256).decode(errors="replace")
            except OSError as error:
                log.warning("similar_text_unread", submission=submission.pk, file=file.name, error=str(error))
    return found


def quotable(assignment: Assignment) -> Shingles:
    """Runs that nobody is held to: the title, the rubric's words, and what staff entered as quotable for this work."""
    works = same_work(assignment)
    items = RubricItem.objects.filter(rubric__assignment__in=works).values_list("title", "description")
    entered = SimilarSearch.objects.filter(assignment__in=works).values_list("quotable", flat=True)
    return shingles_of([assignment.title, *(part for item in items for part in item), *entered])
