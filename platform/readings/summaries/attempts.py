"""One summary that was handed in, with its marks as the viewer may see them; and two of them compared word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from itertools import chain

from django.http import Http404

from audit.models import AuditEvent
from audit.selectors import history_of
from readings.models import Reading
from readings.summaries.services import items_of
from reviews.marking.scores import hand_scores
from reviews.marking.shown import GradeView, MarkView, grade_view, mark_views, retired_items
from reviews.models import RubricItem
from reviews.releases.standing import is_released
from reviews.requests.selectors import RequestsOfScore, requests_of
from submissions.access import SubmissionAccess
from submissions.models import Submission
from submissions.texts import UploadedFile, read_texts, read_upload, word_count

PIECES_MAX = 1500  # of a text, for a comparison that ends soon


@dataclass(frozen=True)
class ItemView:
    """One item as it was handed in; `text` is empty where nothing was written, and for an upload."""

    title: str
    question: str
    text: str
    words: int
    mark: MarkView | None


@dataclass(frozen=True)
class AttemptView:
    """A summary that was handed in. `grade` is None until the viewer may see it; `graded` says that there is one."""

    submission: Submission
    items: tuple[ItemView, ...]
    upload: UploadedFile | None
    words: int
    counts: bool
    graded: bool
    released: bool
    grade: GradeView | None
    others: tuple[Submission, ...]


@dataclass(frozen=True)
class SummaryPage:
    """A summary on a page of its own."""

    reading: Reading
    attempt: AttemptView
    student_name: str
    due_at: datetime
    is_owner: bool
    is_staff: bool
    requests: RequestsOfScore
    history: tuple[AuditEvent, ...]


@dataclass(frozen=True)
class ItemChange:
    """One item in two attempts: pieces of text, each `same`, `gone` or `new`."""

    title: str
    pieces: tuple[tuple[str, str], ...]
    gone: int
    new: int


@dataclass(frozen=True)
class ComparedSummaries:
    """Two attempts of one student at one reading, the earlier first."""

    reading: Reading
    before: Submission
    after: Submission
    student_name: str
    items: tuple[ItemChange, ...]
    is_staff: bool


def summary_page(access: SubmissionAccess) -> SummaryPage:
    """A summary for its student or for staff."""
    submission = access.submission
    return SummaryPage(
        reading=reading_of(submission),
        attempt=attempt_view(submission, for_staff=access.viewer.is_staff),
        student_name=submission.enrollment.user.name,
        due_at=submission.assignment.due_for(submission.enrollment),
        is_owner=access.viewer.pk == submission.enrollment_id,
        is_staff=access.viewer.is_staff,
        requests=requests_of(access),
        history=history_of(submission) if access.viewer.is_staff else (),
    )


def attempt_view(submission: Submission, *, for_staff: bool) -> AttemptView:
    """The summary with what the viewer may know of its marks. The number of queries does not depend on its length."""
    assignment = submission.assignment
    texts, upload = read_texts(submission), read_upload(submission)
    released = is_released(submission)
    score = hand_scores([submission]).get(submission.pk)
    shown = score if released or for_staff else None
    others = tuple(assignment.submissions.filter(enrollment=submission.enrollment_id).order_by("number"))
    return AttemptView(
        submission=submission,
        items=_items([*items_of(assignment), *retired_items(shown)], texts, mark_views(shown)),
        upload=upload,
        words=word_count(upload.text or "") if upload else sum(map(word_count, texts.values())),
        counts=others[-1].pk == submission.pk,
        graded=score is not None,
        released=released,
        grade=grade_view(shown, for_staff=for_staff) if shown else None,
        others=others,
    )


def compared(first: SubmissionAccess, second: SubmissionAccess) -> ComparedSummaries:
    """What changed from one attempt to the other."""
    before, after = sorted((first.submission, second.submission), key=lambda submission: submission.number)
    old, new = _comparable(before), _comparable(after)
    titles = {item.task_id: item.title for item in items_of(before.assignment)}
    names = [*titles, *(name for name in {**old, **new} if name not in titles)]
    changes = (_change(titles.get(name, name), old.get(name, ""), new.get(name, "")) for name in names)
    return ComparedSummaries(
        reading=reading_of(before),
        before=before,
        after=after,
        student_name=before.enrollment.user.name,
        items=tuple(change for change in changes if change.pieces),
        is_staff=first.viewer.is_staff,
    )


def reading_of(submission: Submission) -> Reading:
    """The reading that a summary is about; raises `Http404` where the assignment has none."""
    reading = Reading.objects.select_related("assignment", "paper").filter(assignment=submission.assignment).first()
    if reading is None:
        raise Http404("This is no summary of a reading.")
    return reading


def _items(
    items: Sequence[RubricItem], texts: Mapping[str, str], marks: Mapping[int, MarkView]
) -> tuple[ItemView, ...]:
    """The rubric's items, and after them what was written for items that the rubric does not have any more."""
    known = [(item.title, item.description, item.task_id, marks.get(item.pk)) for item in items]
    names = {item.task_id for item in items}
    gone = [(name, "", name, None) for name in texts if name not in names]
    return tuple(
        ItemView(title, question, texts.get(name, ""), word_count(texts.get(name, "")), mark)
        for title, question, name, mark in chain(known, gone)
    )


def _comparable(submission: Submission) -> Mapping[str, str]:
    """The texts by item; an uploaded text is one, and of a PDF only its name can be compared."""
    upload = read_upload(submission)
    if upload is None:
        return read_texts(submission)
    return {"Uploaded file": upload.name if upload.text is None else upload.text}


def _change(title: str, before: str, after: str) -> ItemChange:
    old, new = _pieces(before), _pieces(after)
    pieces: list[tuple[str, str]] = []
    matcher = SequenceMatcher(None, [piece.strip() for piece in old], [piece.strip() for piece in new])
    for kind, start, end, begin, stop in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(new[begin:stop])))
            continue
        pieces += [("gone", "".join(old[start:end]))] if end > start else []
        pieces += [("new", "".join(new[begin:stop]))] if stop > begin else []
    gone, added = (sum(word_count(text) for kind, text in pieces if kind == wanted) for wanted in ("gone", "new"))
    return ItemChange(title, tuple(pieces), gone, added)


def _pieces(text: str) -> list[str]:
    """Words with the space after them; for a very long text its lines, or all of it as one."""
    for pieces in (re.findall(r"\S+\s*", text), text.splitlines(keepends=True)):
        if len(pieces) <= PIECES_MAX:
            return pieces
    return [text]
