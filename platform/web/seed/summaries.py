"""Summaries of the readings that have come due, and of the next one, in every state; the older ones graded and released.

Rows are made by the services that make them in the product. Texts are drawn anew for each student, and the same in every demo.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import User
from assignments.models import Assignment
from audit.services import record
from config import clock
from courses.models import Enrollment, Offering
from readings.summaries.services import items_of
from reviews.marking.models import Review
from reviews.marking.services import GivenMark, adjust, save_review
from reviews.models import RubricItem
from reviews.releases.models import Release, ReleaseItem
from submissions import storage
from submissions.models import Draft, DraftVersion, Source, Submission
from submissions.services import StoredFile, record_submission
from submissions.texts import file_name
from web.seed.people import INSTRUCTOR, TAS, address

TEXTS = Path(__file__).parent / "summaries.toml"
CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
WRITERS = 8  # files that are made durable at the same time
COPIES = {2: (35, 25)}  # in reading 2, the one student's summary is all but the other's


@dataclass(frozen=True)
class Summary:
    """What one student wrote: the texts and how well each item was understood, 0 to 2."""

    student: Enrollment
    texts: Mapping[str, str]
    levels: Mapping[str, int]
    at: datetime


@lru_cache(maxsize=1)
def _texts() -> dict[str, Any]:
    """What is written and said, as summaries.toml explains it."""
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))


def seed_summaries(offering: Offering, students: Sequence[Enrollment]) -> int:
    """Fill the readings that we have texts for; returns how many summaries were handed in. A second time makes none."""
    readings = [reading for reading in offering.assignments.readings() if str(reading.number) in _texts()["readings"]]
    if Submission.objects.filter(assignment__in=readings).exists():
        return 0
    now = clock.now()
    due = [reading for reading in readings if reading.due_at < now]
    made = 0
    for reading in due:
        released = reading.number < due[-1].number
        made += _past(reading, students, released=released)
    coming = next((reading for reading in readings if reading.due_at >= now), None)
    return made + (_coming(coming, students, now) if coming else 0)


def _past(reading: Assignment, students: Sequence[Enrollment], *, released: bool) -> int:
    """Nearly everyone handed in; where `released`, the TAs have graded and the instructor has released."""
    random = Random(reading.number)  # noqa: S311 - the demo is the same every time
    items = items_of(reading)
    wrote = [student for position, student in enumerate(students) if (position + 3 * reading.number) % 13]
    summaries = [
        _write(reading.number, items, student, random, reading.due_at - timedelta(hours=1 + 40 * random.random()))
        for student in wrote
    ]
    if reading.number in COPIES:
        _copy(summaries, *(students[position] for position in COPIES[reading.number]))
    stored = _store(items, summaries)
    with transaction.atomic():
        handed_in = [_hand_in(reading, summary, files) for summary, files in zip(summaries, stored, strict=True)]
        if released:
            _grade(reading, items, summaries, handed_in, random)
            _release(reading, handed_in)
    return len(handed_in)


def _coming(reading: Assignment, students: Sequence[Enrollment], now: datetime) -> int:
    """A quarter handed in, a third writes, the others have not begun."""
    random = Random(reading.number)  # noqa: S311 - the demo is the same every time
    items = items_of(reading)
    written = [
        _write(reading.number, items, student, random, now - timedelta(hours=1 + 30 * random.random()))
        for position, student in enumerate(students)
        if position % 12 in {2, 4, 5, 7, 9, 10, 11}
    ]
    done, begun = written[::2], written[1::2]
    stored = _store(items, done)
    with transaction.atomic():
        for summary, files in zip(done, stored, strict=True):
            _hand_in(reading, summary, files)
        for summary in begun:
            kept = dict(list(summary.texts.items())[: random.randrange(1, 6)])
            _draft(reading, summary, {name: kept.get(name, "") for name in summary.texts})
    return len(done)


def _write(number: int, items: Sequence[RubricItem], student: Enrollment, random: Random, at: datetime) -> Summary:
    """Some students understand more than others; each item has a chance of its own."""
    understanding = random.betavariate(5, 2)
    levels: dict[str, int] = {}
    texts: dict[str, str] = {}
    for item in items:
        drawn = random.random()
        level = 2 if drawn < understanding else 1 if drawn < understanding + 0.25 else 0
        level = max(level, 1) if item.task_id == "problem" else level
        levels[item.task_id] = level
        texts[item.task_id] = _text(_texts()["readings"][str(number)].get(item.task_id), level, random)
    return Summary(student, texts, levels, at)


def _text(written: dict[str, list[str]] | None, level: int, random: Random) -> str:
    if written is None or level == 0:
        return ""
    clear = written["clear"]
    count = len(clear)
    chosen = sorted(random.sample(range(count), k=random.randint(max(1, count - 1), count)))
    sentences = [clear[place] for place in chosen] if level == 2 else written["vague"]
    return " ".join(_drawn(sentence, random) for sentence in sentences)


def _drawn(sentence: str, random: Random) -> str:
    text = CHOICE.sub(lambda found: random.choice(found[1].split("|")), sentence)
    return text[0].upper() + text[1:]


def _copy(summaries: list[Summary], copier: Enrollment, source: Enrollment) -> None:
    """One summary becomes another's with a word changed here and there: what staff are shown side by side."""
    by_student = {summary.student.pk: place for place, summary in enumerate(summaries)}
    if not {copier.pk, source.pk} <= set(by_student):
        return
    original, place = summaries[by_student[source.pk]], by_student[copier.pk]
    texts = {
        name: text.replace(" is ", " was ", 1).replace(" and ", " as well as ", 1)
        for name, text in original.texts.items()
    }
    summaries[place] = Summary(copier, texts, original.levels, summaries[place].at)


def _store(items: Sequence[RubricItem], summaries: Sequence[Summary]) -> list[list[StoredFile]]:
    """Make all files durable, some at a time: each waits for the disk."""
    named = [
        [
            (file_name(item.position, item.task_id), summary.texts[item.task_id].encode())
            for item in items
            if summary.texts[item.task_id]
        ]
        for summary in summaries
    ]
    with ThreadPoolExecutor(max_workers=WRITERS) as pool:
        hashes = iter(list(pool.map(storage.store, [data for files in named for _, data in files])))
    return [[StoredFile(name, next(hashes), len(data)) for name, data in files] for files in named]


def _hand_in(reading: Assignment, summary: Summary, files: Sequence[StoredFile]) -> Submission:
    _draft(reading, summary, summary.texts)
    return record_submission(
        assignment=reading,
        enrollment=summary.student,
        files=files,
        source=Source.EDITOR,
        client_token=None,
        received_at=summary.at,
        waiting_ahead=None,
        mail=False,
    )


def _draft(reading: Assignment, summary: Summary, texts: Mapping[str, str]) -> None:
    """The draft and its one version, as they were at that moment: the service would say that they are of now."""
    draft = Draft.objects.create(
        assignment=reading, enrollment=summary.student, cells=dict(texts), revision=1, updated_at=summary.at
    )
    DraftVersion.objects.create(draft=draft, cells=draft.cells, revision=1, began_at=summary.at, saved_at=summary.at)


def _grade(
    reading: Assignment,
    items: Sequence[RubricItem],
    summaries: Sequence[Summary],
    handed_in: Sequence[Submission],
    random: Random,
) -> None:
    """The TAs take turns; the second one is a little stricter about judgements."""
    graders = [User.objects.get(email=address(name)) for name in TAS]
    for place, (summary, submission) in enumerate(zip(summaries, handed_in, strict=True)):
        strict = place % 2 and random.random() < 0.3
        marks = {item.pk: _mark(item, summary.levels[item.task_id], strict=bool(strict)) for item in items}
        save_review(
            submission=submission,
            by=graders[place % 2],
            marks=marks,
            comment=random.choice(_texts()["whole"]["comments"]),
            spent_s=random.randint(18, 75),
        )
        if place == 5:
            reason = "You found an error in table 2 and told us."
            adjust(submission=submission, points=Decimal(1), reason=reason, by=graders[0])
    saved_at = reading.due_at + timedelta(days=2, hours=15)
    Review.objects.filter(submission__in=handed_in).update(saved_at=saved_at)


def _release(reading: Assignment, handed_in: Sequence[Submission]) -> None:
    """The instructor released them four days after the due moment; who was told of it then is not told again."""
    at, instructor = reading.due_at + timedelta(days=4), User.objects.get(email=address(INSTRUCTOR))
    release = Release.objects.create(
        assignment=reading,
        released_at=at,
        released_by=instructor,
        final_at=at + timedelta(seconds=settings.RELEASE_UNDO_S),
    )
    ReleaseItem.objects.bulk_create(ReleaseItem(release=release, submission=submission) for submission in handed_in)
    record(actor=instructor, action="released", subject=reading, offering_id=reading.offering_id)


def _mark(item: RubricItem, level: int, *, strict: bool) -> GivenMark:
    if strict and item.task_id == "assessment":
        level = max(level - 1, 0)
    comment = _texts()["remarks"].get(item.task_id, "") if level == 1 else ""
    return GivenMark(min(Decimal(level), item.points), comment)
