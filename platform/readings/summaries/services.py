"""Handing in a summary: six texts from the page, or one file. No queue and no job: people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError

from assignments.models import Assignment
from config import clock
from courses.models import Enrollment
from readings.summaries.uploads import check_file
from reviews.models import RubricItem
from submissions.models import Source, Submission
from submissions.services import (
    IncomingFile,
    SubmissionRefused,
    check_may_submit,
    click_of,
    record_submission,
    sent_in,
    store_files,
    submission_of_click,
)
from submissions.texts import file_name

TEXT_MAX = 50_000  # characters an item


class SomeItemsEmpty(Exception):  # noqa: N818 - a question to the student, not a fault
    """Some items have no text. Handing in again with `confirmed` is accepted."""

    def __init__(self, titles: Sequence[str], count: int) -> None:
        super().__init__(
            f"{len(titles)} of {count} items {'is' if len(titles) == 1 else 'are'} empty: {', '.join(titles)}."
        )
        self.titles = tuple(titles)


def items_of(assignment: Assignment) -> list[RubricItem]:
    """The items of a reading's rubric, in order. One query."""
    return list(RubricItem.objects.filter(rubric__assignment=assignment))


def hand_in_texts(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    texts: Mapping[str, str],
    client_token: str | None = None,
    confirmed: bool = False,
    received_at: datetime | None = None,
) -> Submission:
    """Accept a summary written item by item; raises `SubmissionRefused` or `SomeItemsEmpty`, and then nothing is stored.

    An item without text makes no file. The same texts with the same `client_token` again return the submission they made before.
    """
    items = items_of(assignment)

    def checked() -> list[IncomingFile]:
        _check_texts(items, texts, confirmed=confirmed)
        return [
            IncomingFile(file_name(item.position, item.task_id), texts[item.task_id].encode())
            for item in items
            if texts.get(item.task_id, "").strip()
        ]

    sent = (part.encode() for named in sorted(texts.items()) for part in named)
    click = click_of(client_token, *sent)
    return _hand_in(assignment, enrollment, checked, Source.EDITOR, click, received_at=received_at or clock.now())


def hand_in_file(
    *,
    assignment: Assignment,
    enrollment: Enrollment,
    file: IncomingFile,
    client_token: str | None = None,
    received_at: datetime | None = None,
) -> Submission:
    """Accept a summary as a file; raises `SubmissionRefused`, and then nothing is stored."""

    def checked() -> list[IncomingFile]:
        check_file(file)
        return [file]

    click = click_of(client_token, *sent_in([file]))
    return _hand_in(assignment, enrollment, checked, Source.UPLOAD, click, received_at=received_at or clock.now())


def check_lengths(texts: Mapping[str, str]) -> None:
    """Raise `SubmissionRefused` for a text that is too long to be saved."""
    longest = max(map(len, texts.values()), default=0)
    if longest > TEXT_MAX:
        raise SubmissionRefused(
            f"An item takes at most {TEXT_MAX:,} characters, and one of yours has {longest:,}. What you typed is still here: shorten it."
        )


def _hand_in(
    assignment: Assignment,
    enrollment: Enrollment,
    checked: Callable[[], Sequence[IncomingFile]],
    source: str,
    click: str | None,
    *,
    received_at: datetime,
) -> Submission:
    """Lateness is decided by `received_at`, and never by what the work waits for here."""
    if (earlier := submission_of_click(enrollment, click)) is not None:
        return earlier
    check_may_submit(assignment=assignment, enrollment=enrollment, received_at=received_at)
    stored = store_files(checked())
    try:
        return record_submission(
            assignment=assignment,
            enrollment=enrollment,
            files=stored,
            source=source,
            client_token=click,
            received_at=received_at,
            waiting_ahead=None,
        )
    except IntegrityError:
        # the second of two clicks that arrived together: the first one's submission stands
        if (earlier := submission_of_click(enrollment, click)) is None:
            raise
        return earlier


def _check_texts(items: Sequence[RubricItem], texts: Mapping[str, str], *, confirmed: bool) -> None:
    check_lengths(texts)
    if not items:
        raise SubmissionRefused("This reading has no items to write about yet. Ask your course's staff.")
    empty = [item.title for item in items if not texts.get(item.task_id, "").strip()]
    if len(empty) == len(items):
        raise SubmissionRefused(
            f"All {len(items)} items are empty, so nothing was handed in. Write at least one of them, or upload a file."
        )
    if empty and not confirmed:
        raise SomeItemsEmpty(empty, len(items))
