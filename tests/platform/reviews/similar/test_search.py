"""Searching a reading: whose texts are compared, when, how often, and what becomes of pairs that staff judged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from config import clock
from reviews.similar.models import SimilarPair, SimilarSearch, Status
from reviews.similar.services import ask_for_search, decide, search_due, search_similar, set_quotable
from submissions import storage
from submissions.models import Source
from submissions.services import StoredFile, record_submission
from tests.factories import OfferingFactory, ReadingFactory, person, submit, summary

pytestmark = pytest.mark.django_db


def wrote(reading, student, *paragraphs: str):
    """Hand in these paragraphs, one an item."""
    names = ("problem", "impact", "ideas", "technique", "assessment", "improvement")
    return summary(reading, student, dict(zip(names, paragraphs, strict=False)))


def uploaded(reading, student, name: str, data: bytes):
    file = StoredFile(name, storage.store(data), len(data))
    return record_submission(
        assignment=reading,
        enrollment=student,
        files=[file],
        source=Source.UPLOAD,
        client_token=None,
        received_at=clock.now(),
        waiting_ahead=0,
        mail=False,
    )


@pytest.fixture
def copied(world, reading, writer):
    """Two students with the same summary, items in another order, and ten others."""
    paragraphs = [writer.paragraph() for _ in range(6)]
    first = wrote(reading, world.student, *paragraphs)
    second = wrote(reading, world.classmate, *reversed(paragraphs))
    for _ in range(10):
        wrote(reading, person(world.offering), *(writer.paragraph() for _ in range(6)))
    return first, second


def pairs() -> list[tuple[int, int]]:
    return [(pair.first_id, pair.second_id) for pair in SimilarPair.objects.order_by("pk")]


def test_the_copy_is_found_and_nobody_else(copied, reading):
    search = search_similar(assignment=reading)
    assert pairs() == [(copied[0].pk, copied[1].pk)]
    pair = SimilarPair.objects.get()
    assert (pair.share, pair.jaccard, pair.status) == (1.0, 1.0, Status.OPEN)
    assert (search.texts, search.earlier, search.unread) == (12, 0, 0)
    assert set(pair.passages["first"]) == {file.name for file in copied[0].files.all()}


def test_searching_again_changes_nothing(copied, reading):
    search_similar(assignment=reading)
    before = list(SimilarPair.objects.values())
    search_similar(assignment=reading)
    assert list(SimilarPair.objects.values()) == before


def test_the_latest_submission_alone_is_compared(copied, reading, world, writer):
    wrote(reading, world.classmate, *(writer.paragraph() for _ in range(6)))
    search_similar(assignment=reading)
    assert pairs() == []


def test_ones_own_attempts_and_ones_own_earlier_offering_are_never_held_against_one(world, reading, writer):
    paragraphs = [writer.paragraph() for _ in range(6)]
    wrote(reading, world.student, *paragraphs)
    wrote(reading, world.student, *paragraphs)
    before = OfferingFactory(course=world.offering.course, starts_on=world.offering.starts_on - timedelta(days=365))
    earlier = ReadingFactory(assignment__offering=before, assignment__title=reading.title).assignment
    from courses.models import Enrollment

    wrote(earlier, Enrollment.objects.create(offering=before, user=world.student.user), *paragraphs)
    search = search_similar(assignment=reading)
    assert pairs() == []
    assert (search.texts, search.earlier) == (1, 1)


def test_earlier_offerings_of_the_course_are_compared_and_others_are_not(world, reading, writer):
    paragraphs = [writer.paragraph() for _ in range(6)]
    year = timedelta(days=365)
    before = OfferingFactory(course=world.offering.course, starts_on=world.offering.starts_on - year)
    after = OfferingFactory(course=world.offering.course, starts_on=world.offering.starts_on + year)
    found = {}
    for offering in (before, after, world.other_lab.offering):
        same = ReadingFactory(assignment__offering=offering, assignment__title=reading.title.upper()).assignment
        found[offering] = wrote(same, person(offering), *paragraphs)
    other = ReadingFactory(assignment__offering=before, assignment__title="Another paper").assignment
    wrote(other, person(before), *paragraphs)
    mine = wrote(reading, world.student, *paragraphs)
    search_similar(assignment=reading)
    assert pairs() == [(found[before].pk, mine.pk)]


def test_two_texts_of_an_earlier_offering_are_not_this_ones_pair(world, reading, writer):
    before = OfferingFactory(course=world.offering.course, starts_on=world.offering.starts_on - timedelta(days=365))
    earlier = ReadingFactory(assignment__offering=before, assignment__title=reading.title).assignment
    paragraphs = [writer.paragraph() for _ in range(6)]
    for _ in range(2):
        wrote(earlier, person(before), *paragraphs)
    wrote(reading, world.student, writer.text())
    search_similar(assignment=reading)
    assert pairs() == []


def test_uploaded_markdown_and_text_are_compared_with_what_was_written_here(world, reading, writer):
    paragraphs = [writer.paragraph() for _ in range(6)]
    text = "\n\n".join(paragraphs).encode()
    works = [
        wrote(reading, world.student, *paragraphs),
        uploaded(reading, world.classmate, "Summary.MD", text),
        uploaded(reading, person(world.offering), "summary.txt", text + b"\xff\xfe"),
    ]
    uploaded(reading, person(world.offering), "summary.pdf", text)
    search = search_similar(assignment=reading)
    assert len(pairs()) == 3
    assert {pk for pair in pairs() for pk in pair} == {work.pk for work in works}
    assert search.unread == 1


def test_a_file_that_is_gone_does_not_stop_the_search(copied, reading, world, writer):
    lost = uploaded(reading, person(world.offering), "lost.txt", b"x")
    storage.path(lost.files.get().sha256).unlink()
    assert search_similar(assignment=reading).unread == 1
    assert len(pairs()) == 1


def test_the_guiding_questions_and_quotable_text_count_against_nobody(world, reading, writer):
    questions = [f"{item.title} {item.description}" for item in reading.rubric.items.all()]
    abstract = writer.paragraph(150)
    for student in (world.student, world.classmate):
        wrote(reading, student, *questions, abstract, writer.paragraph(60))
    wrote(reading, world.student, *questions[:4], abstract, writer.paragraph(60))
    wrote(reading, world.classmate, *questions[:4], abstract, writer.paragraph(60))
    search_similar(assignment=reading)
    assert len(pairs()) == 1
    set_quotable(assignment=reading, text=abstract, by=world.ta.user)
    search_similar(assignment=reading)
    assert pairs() == []


def test_questions_alone_make_no_pair(world, reading, writer):
    questions = [f"{item.title} {item.description}" for item in reading.rubric.items.all()]
    for student in (world.student, world.classmate):
        wrote(reading, student, *(f"{question} {writer.paragraph(20)}" for question in questions))
    search_similar(assignment=reading)
    assert pairs() == []


def test_what_staff_decided_stays_and_an_open_pair_that_is_gone_is_forgotten(copied, reading, world, writer):
    third = wrote(reading, person(world.offering), *(writer.paragraph() for _ in range(6)))
    search_similar(assignment=reading)
    decide(pair=SimilarPair.objects.get(), status=Status.FINE, note="They worked as a pair.", by=world.ta.user)
    again = wrote(reading, third.enrollment, *(file for file in [writer.text()]))
    copy = wrote(reading, person(world.offering), *[storage.read(again.files.get().sha256).decode()])
    search_similar(assignment=reading)
    assert len(pairs()) == 2
    wrote(reading, copy.enrollment, writer.text())
    wrote(reading, world.classmate, writer.text())
    search_similar(assignment=reading)
    assert pairs() == [(copied[0].pk, copied[1].pk)]
    assert SimilarPair.objects.get().note == "They worked as a pair."


def test_a_judgement_is_in_the_trail_with_from_and_to(copied, reading, world):
    search_similar(assignment=reading)
    pair = SimilarPair.objects.get()
    decide(pair=pair, status=Status.FOLLOWED_UP, note=" Talked to both. ", by=world.ta.user)
    decide(pair=pair, status=Status.FOLLOWED_UP, note="Talked to both.", by=world.instructor.user)
    pair.refresh_from_db()
    assert (pair.decided_by, pair.note) == (world.ta.user, "Talked to both.")
    (event,) = AuditEvent.objects.filter(action="judged similar texts")
    assert (event.before, event.after) == ("Open", "Followed up; note: Talked to both.")


def test_nothing_is_searched_before_it_is_due_and_once_after(reading, copied, at):
    assert search_due() is None
    at(reading.due_at + timedelta(seconds=30))
    assert search_due() is None
    at(reading.due_at + timedelta(seconds=61))
    assert search_due() is not None
    assert search_due() is None
    assert len(pairs()) == 1


def test_what_comes_later_by_an_extension_is_searched_too(reading, copied, world, at):
    at(reading.due_at + timedelta(seconds=61))
    assert search_due() is not None
    at(reading.due_at + timedelta(days=2))
    assert search_due() is None
    late = wrote(
        reading, person(world.offering), *(storage.read(file.sha256).decode() for file in copied[0].files.all())
    )
    at(reading.due_at + timedelta(days=2, seconds=30))
    assert search_due() is None
    at(reading.due_at + timedelta(days=2, seconds=61))
    assert search_due() is not None
    assert len([pair for pair in pairs() if late.pk in pair]) == 2
    assert search_due() is None


def test_staff_ask_and_the_sweeper_searches(reading, copied, world, at):
    ask_for_search(assignment=reading, by=world.ta.user)
    ask_for_search(assignment=reading, by=world.ta.user)
    assert AuditEvent.objects.filter(action="asked for similar texts").count() == 1
    assert SimilarSearch.objects.get().is_waiting
    at(clock.now() + timedelta(seconds=5))
    assert search_due() is not None
    assert not SimilarSearch.objects.get().is_waiting
    assert search_due() is None


def test_a_search_that_died_is_begun_again_after_a_while_and_not_before(reading, copied, world, at):
    ask_for_search(assignment=reading, by=world.ta.user)
    now = clock.now()
    SimilarSearch.objects.update(begun_at=now)
    at(now + timedelta(minutes=9))
    assert search_due() is None
    at(now + timedelta(minutes=11))
    assert search_due() is not None


def test_labs_are_not_searched(world, at):
    submit(world.lab, world.student)
    at(world.lab.due_at + timedelta(days=1))
    assert search_due() is None


def test_the_sweeper_knows_it(settings):
    from django.utils.module_loading import import_string

    assert search_due in [import_string(name) for name in settings.SWEEP_ALSO]


def test_a_larger_class_asks_no_more_questions(reading, copied, world, writer):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            search_similar(assignment=reading)
        return len(queries)

    search_similar(assignment=reading)
    few = asked()
    for _ in range(15):
        wrote(reading, person(world.offering), writer.text(2))
    assert asked() == few


def test_migrations_are_complete():
    call_command("makemigrations", "reviews", check=True, dry_run=True, verbosity=0)
