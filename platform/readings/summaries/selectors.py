"""The reading page: for a student the paper beside the six items, or what was handed in; for staff how the class stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from courses.pages import StateChip
from readings.models import Reading
from readings.summaries import uploads
from readings.summaries.attempts import AttemptView, attempt_view
from readings.summaries.services import items_of
from readings.summaries.states import chip_of, written
from reviews.marking.models import Review
from reviews.marking.scores import hand_scores, latest_submissions
from reviews.models import RubricItem
from reviews.releases.standing import is_released, released_since
from reviews.requests.selectors import RequestsOfScore, requests_of
from submissions.access import SubmissionAccess
from submissions.models import Draft, DraftVersion, Submission
from submissions.services import SubmissionRefused
from submissions.texts import word_count

# what the course asks for; advice, and never a limit
PARAGRAPHS, WORDS_FROM, WORDS_TO = "4 to 5 paragraphs", 300, 700
VERSIONS_A_PAGE = 40


@dataclass(frozen=True)
class ItemField:
    """One item as a field. `theirs` is what another window saved meanwhile; None where both texts are the same."""

    name: str
    number: int
    title: str
    question: str
    text: str
    words: int
    theirs: str | None

    @property
    def field(self) -> str:
        """The form field's name."""
        return f"cell-{self.name}"


@dataclass(frozen=True)
class Answer:
    """What came of a post that was not accepted: why, the text as it was posted, and the draft that stood in its way.

    `empty` asks whether the items without text are meant to be empty.
    """

    refusal: str | SubmissionRefused = ""
    empty: str = ""
    texts: Mapping[str, str] | None = None
    conflict: Draft | None = None
    client_token: str = ""


@dataclass(frozen=True)
class ReadingPage:
    """A reading for a student. While it is accepted, `fields` is the form; afterwards `shown` is what was handed in, if anything.

    `leftover` says that the draft is not what was handed in.
    """

    reading: Reading
    due_at: datetime
    due_why: str
    chip: StateChip
    accepts: bool
    fields: tuple[ItemField, ...]
    words: int
    draft_revision: int
    draft_saved_at: datetime | None
    versions: int
    attempts: tuple[Submission, ...]
    shown: AttemptView | None
    requests: RequestsOfScore | None
    leftover: bool
    client_token: str
    answer: Answer
    now: datetime

    paragraphs, words_from, words_to = PARAGRAPHS, WORDS_FROM, WORDS_TO
    suffixes, text_max_kb, pdf_max_mb = uploads.SUFFIXES, uploads.TEXT_MAX_KB, uploads.PDF_MAX_MB


@dataclass(frozen=True)
class StaffReadingPage:
    """A reading for staff: its rubric, and how many handed in, still write, are graded and see their score."""

    reading: Reading
    items: tuple[RubricItem, ...]
    handed_in: int
    drafting: int
    graded: int
    enrolled: int
    is_open: bool
    is_due: bool
    released: int


@dataclass(frozen=True)
class VersionRow:
    """One version of a draft. `is_current` is the one that is the draft now."""

    version: DraftVersion
    words: int
    written: int
    is_current: bool


@dataclass(frozen=True)
class VersionsPage:
    """The versions of a student's draft, latest first; `texts` is one of them in full."""

    reading: Reading
    rows: tuple[VersionRow, ...]
    pages: Page[DraftVersion]
    items: int
    chosen: DraftVersion | None
    texts: tuple[tuple[str, str], ...]
    accepts: bool


def reading_page(
    enrollment: Enrollment, reading: Reading, *, client_token: str, answer: Answer | None = None
) -> ReadingPage:
    """The reading with this student's draft in the fields; what a refused post brought takes the draft's place."""
    now, assignment, answer = clock.now(), reading.assignment, answer or Answer()
    draft = Draft.objects.filter(assignment=assignment, enrollment=enrollment).first()
    attempts = tuple(assignment.submissions.filter(enrollment=enrollment).order_by("-number"))
    due = assignment.due_date_for(enrollment)
    accepts = assignment.is_open(now) and now.replace(microsecond=0) <= due.due_at
    items = items_of(assignment)
    texts = _texts(draft, answer)
    shown = None if accepts or not attempts else attempt_view(attempts[0], for_staff=False)
    fields = _fields(items, texts, answer.conflict)
    return ReadingPage(
        reading=reading,
        due_at=due.due_at,
        due_why=due.why,
        chip=_chip(reading, now, items, draft, attempts, accepts=accepts),
        accepts=accepts,
        fields=fields,
        words=sum(field.words for field in fields),
        draft_revision=draft.revision if draft else 0,
        draft_saved_at=draft.updated_at if draft and draft.revision else None,
        versions=draft.versions.count() if draft else 0,
        attempts=attempts,
        shown=shown,
        requests=requests_of(SubmissionAccess(attempts[0], enrollment)) if shown else None,
        leftover=not accepts and _differs(fields, shown),
        client_token=answer.client_token or client_token,
        answer=answer,
        now=now,
    )


def staff_reading_page(enrollment: Enrollment, reading: Reading) -> StaffReadingPage:
    """The same paper for those who grade. The number of queries does not grow with the class."""
    now, assignment = clock.now(), reading.assignment
    students = Enrollment.objects.students().filter(offering=enrollment.offering)
    latest = latest_submissions(assignment)
    drafts = Draft.objects.filter(assignment=assignment, enrollment__in=students.values("pk"), revision__gt=0)
    return StaffReadingPage(
        reading=reading,
        items=tuple(RubricItem.objects.filter(rubric__assignment=assignment).prefetch_related("levels")),
        handed_in=latest.count(),
        drafting=drafts.exclude(enrollment__in=latest.values("enrollment")).count(),
        graded=Review.objects.counting().filter(submission__in=latest.values("pk")).count(),
        enrolled=students.count(),
        is_open=assignment.is_open(now),
        is_due=now > assignment.due_at,
        released=len(released_since(latest)),
    )


def versions_page(enrollment: Enrollment, reading: Reading, *, page: str, show: str) -> VersionsPage:
    """All versions of the student's own draft, some at a time; `show` is the id of the one to read."""
    assignment = reading.assignment
    versions = DraftVersion.objects.filter(draft__assignment=assignment, draft__enrollment=enrollment)
    pages = Paginator(versions.select_related("draft"), VERSIONS_A_PAGE).get_page(page)
    items = items_of(assignment)
    chosen = versions.filter(pk=int(show)).first() if show.isdecimal() and len(show) < 19 else None
    return VersionsPage(
        reading=reading,
        rows=tuple(_version(version, items) for version in pages),
        pages=pages,
        items=len(items),
        chosen=chosen,
        texts=_named(items, chosen.cells) if chosen else (),
        accepts=assignment.accepts_from(enrollment, clock.now()),
    )


def _texts(draft: Draft | None, answer: Answer) -> dict[str, str]:
    return {**(draft.cells if draft else {}), **(answer.texts or {})}


def _fields(items: Sequence[RubricItem], texts: Mapping[str, str], conflict: Draft | None) -> tuple[ItemField, ...]:
    fields = []
    for number, item in enumerate(items, start=1):
        text = texts.get(item.task_id, "")
        other = conflict.cells.get(item.task_id, "") if conflict else text
        fields.append(
            ItemField(
                name=item.task_id,
                number=number,
                title=item.title,
                question=item.description,
                text=text,
                words=word_count(text),
                theirs=other if other != text else None,
            )
        )
    return tuple(fields)


def _differs(fields: Sequence[ItemField], shown: AttemptView | None) -> bool:
    """Whether there is text that was not handed in."""
    handed_in = [item.text for item in shown.items] if shown else []
    texts = [field.text for field in fields]
    return any(text.strip() for text in texts) and texts != handed_in[: len(texts)]


def _chip(
    reading: Reading,
    now: datetime,
    items: Sequence[RubricItem],
    draft: Draft | None,
    attempts: Sequence[Submission],
    *,
    accepts: bool,
) -> StateChip:
    names = [item.task_id for item in items]
    latest = attempts[0] if attempts else None
    return chip_of(
        reading,
        now=now,
        accepts=accepts,
        written=written(draft.cells if draft else {}, names),
        items=len(names),
        latest=latest,
        score=hand_scores([latest]).get(latest.pk) if latest else None,
        released=latest is not None and is_released(latest),
    )


def _version(version: DraftVersion, items: Sequence[RubricItem]) -> VersionRow:
    return VersionRow(
        version=version,
        words=sum(map(word_count, version.cells.values())),
        written=written(version.cells, [item.task_id for item in items]),
        is_current=not version.put_aside and version.revision == version.draft.revision,
    )


def _named(items: Sequence[RubricItem], cells: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(title, text) of each item, then of what belongs to no item of the rubric any more."""
    titles = {item.task_id: item.title for item in items}
    names = [*titles, *(name for name in cells if name not in titles)]
    return tuple((titles.get(name, name), cells.get(name, "")) for name in names)


def own_texts(assignment: Assignment, posted: Mapping[str, str]) -> dict[str, str]:
    """What was posted for items of this reading; nothing else is kept."""
    names = {item.task_id for item in items_of(assignment)}
    return {name: text for name, text in posted.items() if name in names}
