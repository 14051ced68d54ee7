"""Keeping the list: adding, editing, hiding, removing, ordering and copying papers, and what stays when somebody does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from assignments.models import Assignment
from audit.models import AuditEvent
from courses.models import Role
from gradebook.decisions.services import decide
from readings.keeping import arranging, services
from readings.keeping.dates import Dates, DatesTouchWork
from readings.keeping.duplicates import DuplicateFound
from readings.keeping.facts import PaperFacts, facts_of
from readings.keeping.schedule import end_of_day
from readings.keeping.services import ListRefused
from readings.models import Paper, Reading
from readings.selectors import readings_page
from submissions.drafts import save_draft
from tests.factories import EnrollmentFactory, OfferingFactory, summary
from web.selectors.schedule import schedule_page

pytestmark = pytest.mark.django_db
CHICAGO = ZoneInfo("America/Chicago")
OPENS = datetime(2026, 1, 20, 6, tzinfo=UTC)
DUE, SECOND, THIRD = (end_of_day(date(2026, 3, 6) + timedelta(days=7 * week), CHICAGO) for week in range(3))
ORCA = PaperFacts("Orca: A Distributed Serving System", "Gyeong-In Yu", "OSDI", 2022, topic_hint="Continuous batching")
ZERO = PaperFacts("ZeRO: Memory Optimizations", arxiv_id="1910.02054")
ALPA = PaperFacts("Alpa: Automating Parallelism", doi="10.5555/ALPA")


def add(world, facts, week: int = 0, **options):
    dates = Dates(OPENS, (DUE, SECOND, THIRD)[week])
    return services.add_reading(
        offering=options.pop("offering", world.offering), facts=facts, dates=dates, by=world.instructor.user, **options
    )


@pytest.fixture
def three(world):
    return [add(world, facts, week) for week, facts in enumerate((ORCA, ZERO, ALPA))]


def slugs(world) -> list[str]:
    listed = list(Reading.objects.of(world.offering).listed())
    assert [reading.position for reading in listed] == list(range(1, len(listed) + 1))
    assert [reading.assignment.number for reading in listed] == list(range(1, len(listed) + 1))
    return [reading.assignment.slug for reading in listed]


def dues(world) -> list[datetime]:
    return [reading.assignment.due_at for reading in Reading.objects.of(world.offering).listed()]


def told(action: str) -> AuditEvent:
    return AuditEvent.objects.get(action=action)


def test_a_paper_gets_its_assignment_and_the_usual_rubric(world, three):
    assignment = three[0].assignment
    assert (assignment.kind, assignment.number, assignment.title) == ("reading", 1, ORCA.title)
    assert assignment.slug == "orca-a-distributed-serving-system"
    assert (assignment.rubric.items.count(), assignment.points) == (6, 12)
    assert AuditEvent.objects.filter(action="added a reading", actor=world.instructor.user).count() == 3


def test_a_paper_gets_the_rubric_of_the_others_once_it_was_edited(world, three):
    rubric = three[-1].assignment.rubric
    item = rubric.items.first()
    item.title, item.points, item.grader_note = "What is new", 5, "Be kind."
    item.save()
    item.levels.all().delete()
    item.levels.create(key="5", points=5, label="All of it")
    assignment = add(world, PaperFacts("SGLang")).assignment
    copied = assignment.rubric.items.first()
    assert copied.pk != item.pk
    assert (copied.title, copied.points, copied.grader_note) == ("What is new", 5, "Be kind.")
    assert [(level.key, level.label) for level in copied.levels.all()] == [("5", "All of it")]
    assert assignment.points == 15
    assert rubric.items.count() == 6
    assert item.levels.count() == 1


def test_addresses_are_unique_and_never_those_of_the_list(world):
    titles = ["A" * 300, "Attention", "Attention", "List", "深度学习", "!?"]
    found = [add(world, PaperFacts(title), anyway=True).assignment.slug for title in titles]
    assert len(set(found)) == len(found)
    assert found[1:] == ["attention", "attention-2", "list-2", "paper", "paper-2"]


@pytest.mark.parametrize(
    "twin",
    [
        PaperFacts("Another title", arxiv_id="1910.02054v3"),
        PaperFacts("Another title", doi="10.5555/alpa"),
        PaperFacts("orca — a distributed, serving SYSTEM!"),
    ],
)
def test_a_paper_that_is_there_already_is_asked_about(world, three, twin):
    with pytest.raises(DuplicateFound):
        add(world, twin)
    assert len(slugs(world)) == 3
    add(world, twin, anyway=True)
    assert len(slugs(world)) == 4


def test_papers_that_share_nothing_are_no_duplicates(world, three):
    add(world, PaperFacts("ZeRO-Infinity", arxiv_id="1910.0205"))
    add(world, PaperFacts("?!", doi="10.5555/other"))
    add(world, PaperFacts("!?"))


def test_an_order_renumbers_and_dates_stay_with_their_places(world, three):
    before, names = dues(world), slugs(world)
    order = [names[2], names[0], names[1]]
    assert arranging.reorder(offering=world.offering, order=order, dates_stay=True, by=world.instructor.user)
    assert slugs(world) == order
    assert dues(world) == before
    event = told("reordered the readings")
    assert (event.before, event.after) == (", ".join(names), ", ".join(order))
    assert AuditEvent.objects.filter(action="changed the due date").count() == 3
    assert not arranging.reorder(offering=world.offering, order=order, dates_stay=True, by=world.instructor.user)


def test_an_order_may_leave_each_paper_its_date(world, three):
    before, names = dues(world), slugs(world)
    arranging.reorder(offering=world.offering, order=names[::-1], dates_stay=False, by=world.instructor.user)
    assert dues(world) == before[::-1]
    assert not AuditEvent.objects.filter(action="changed the due date").exists()


@pytest.mark.parametrize("order", [[], ["orca"], ["a", "a", "b"]])
def test_an_order_of_another_list_is_refused(world, three, order):
    names = slugs(world)
    for wrong in (order, names[:2], [*names, names[0]], [*names[:2], "other"]):
        with pytest.raises(ListRefused, match="changed since"):
            arranging.reorder(offering=world.offering, order=wrong, dates_stay=True, by=world.instructor.user)
    assert slugs(world) == names


def test_an_order_that_moves_dates_under_summaries_is_asked_about(world, three):
    summary(three[0].assignment, world.student)
    summary(three[0].assignment, world.student)
    summary(three[1].assignment, world.student)
    names = slugs(world)
    act = {"offering": world.offering, "order": [names[1], names[0], names[2]], "by": world.instructor.user}
    with pytest.raises(DatesTouchWork) as asked:
        arranging.reorder(**act, dates_stay=True)
    assert (asked.value.readings, asked.value.summaries) == (2, 2)
    assert slugs(world) == names
    arranging.reorder(**act, dates_stay=True, confirmed=True)
    assert slugs(world) == act["order"]


def test_an_edit_keeps_the_address_and_tells_what_changed(world, three):
    reading = three[0]
    facts = PaperFacts("Orca, revised", "Gyeong-In Yu", "OSDI", 2022, topic_hint="Batching")
    dates = Dates(OPENS, DUE + timedelta(days=1))
    assert services.edit_reading(reading=reading, facts=facts, dates=dates, by=world.instructor.user)
    fresh = Reading.objects.of(world.offering).get(pk=reading.pk)
    assert facts_of(fresh.paper) == facts
    assert (fresh.assignment.title, fresh.assignment.slug) == ("Orca, revised", "orca-a-distributed-serving-system")
    event = told("edited a reading")
    assert event.after == "title: Orca, revised; topic_hint: Batching"
    assert told("changed the due date").after == dates.due_at.isoformat()
    assert not services.edit_reading(reading=reading, facts=facts, dates=dates, by=world.instructor.user)


def test_an_edit_into_a_duplicate_and_a_date_under_work_are_asked_about(world, three):
    summary(three[0].assignment, world.student)
    act = {"reading": three[0], "by": world.instructor.user}
    with pytest.raises(DuplicateFound):
        services.edit_reading(**act, facts=ZERO, dates=Dates(OPENS, DUE))
    later = Dates(OPENS, DUE + timedelta(days=1))
    with pytest.raises(DatesTouchWork, match="1 reading for which 1 summary was"):
        services.edit_reading(**act, facts=PaperFacts("New"), dates=later)
    three[0].refresh_from_db()
    assert three[0].paper.title == ORCA.title
    assert services.edit_reading(**act, facts=PaperFacts("New"), dates=later, confirmed=True)


def test_another_offering_keeps_its_data_of_a_shared_paper(world, three):
    elsewhere = add(world, ORCA, offering=world.other_lab.offering)
    assert elsewhere.paper == three[0].paper
    services.edit_reading(reading=three[0], facts=PaperFacts("Mine"), dates=Dates(OPENS, DUE), by=world.instructor.user)
    elsewhere.refresh_from_db()
    three[0].refresh_from_db()
    assert (elsewhere.paper.title, three[0].paper.title) == (ORCA.title, "Mine")


def test_hiding_takes_a_paper_from_students_alone(world, three):
    assert services.set_hidden(reading=three[0], hidden=True, by=world.instructor.user)
    assert not services.set_hidden(reading=three[0], hidden=True, by=world.instructor.user)
    assert [row.number for row in readings_page(world.student).rows] == [2, 3]
    assert [row.number for row in readings_page(world.ta).rows] == [1, 2, 3]
    assert services.set_hidden(reading=three[0], hidden=False, by=world.instructor.user)
    assert len(readings_page(world.student).rows) == 3
    assert told("hid a reading").subject_id == three[0].assignment.pk
    assert told("showed a reading")


def test_a_paper_without_work_is_gone_when_it_is_removed(world, three):
    assert not services.remove_reading(reading=three[0], by=world.instructor.user)
    assert slugs(world) == [three[1].assignment.slug, three[2].assignment.slug]
    assert dues(world) == [SECOND, THIRD]
    assert not Assignment.objects.filter(title=ORCA.title).exists()
    assert not Paper.objects.filter(title=ORCA.title).exists()
    assert told("removed a reading").before == f"1. {ORCA.title}"


def test_a_paper_that_another_list_has_stays_there(world, three):
    add(world, ORCA, offering=world.other_lab.offering)
    services.remove_reading(reading=three[0], by=world.instructor.user)
    assert Paper.objects.filter(title=ORCA.title).exists()


@pytest.mark.parametrize("work", ["summary", "draft"])
def test_a_paper_with_work_is_archived_and_everything_stays(world, three, work):
    assignment = three[0].assignment
    if work == "summary":
        handed_in = summary(assignment, world.student)
    else:
        save_draft(assignment=assignment, enrollment=world.student, sources={"problem": "It is slow."}, revision=0)
    assert services.remove_reading(reading=three[0], by=world.instructor.user)
    assert slugs(world) == [three[1].assignment.slug, three[2].assignment.slug]
    for who in (world.student, world.ta):
        assert [row.title for row in readings_page(who).rows] == [ZERO.title, ALPA.title]
        due = [row.title for week in schedule_page(who).weeks for row in week.due]
        assert not any(ORCA.title in title for title in due)
        assert any(ZERO.title in title for title in due)
    assert readings_page(world.student).archived == ()
    (row,) = readings_page(world.ta).archived
    assert (row.title, row.summaries) == (ORCA.title, int(work == "summary"))
    if work == "summary":
        handed_in.refresh_from_db()
        assert handed_in.files.count() == 6
    assert told("archived a reading")


def test_a_paper_for_which_only_staff_decided_a_score_is_archived_with_it(world, three):
    by, assignment = world.instructor.user, three[0].assignment
    decided = decide(student=world.student, part=assignment, points=None, reason="was ill", by=by)
    assert services.remove_reading(reading=three[0], by=by)
    assert world.student.grade_decisions.get() == decided
    assert services.restore_reading(reading=three[0], by=by)


def test_an_archived_paper_comes_back_at_the_end_and_hidden(world, three):
    summary(three[0].assignment, world.student)
    services.remove_reading(reading=three[0], by=world.instructor.user)
    assert services.restore_reading(reading=three[0], by=world.instructor.user)
    assert not services.restore_reading(reading=three[0], by=world.instructor.user)
    assert slugs(world)[-1] == "orca-a-distributed-serving-system"
    assert len(readings_page(world.student).rows) == 2
    assert told("restored a reading")


def test_no_archived_reading_is_ever_shown(world, three):
    reading = Reading.objects.get(pk=three[0].pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.filter(pk=reading.pk).update(archived_at=DUE, hidden=False)
    Reading.objects.filter(pk=reading.pk).update(archived_at=DUE, hidden=True)
    assert not services.set_hidden(reading=reading, hidden=False, by=world.instructor.user)


def test_the_archive_warns_of_a_paper_that_comes_again(world, three):
    summary(three[0].assignment, world.student)
    services.remove_reading(reading=three[0], by=world.instructor.user)
    with pytest.raises(DuplicateFound, match="in the archive"):
        add(world, ORCA)


@pytest.fixture
def following(world):
    """The next offering, of the same instructor."""
    offering = OfferingFactory(starts_on=date(2027, 1, 19), ends_on=date(2027, 5, 6))
    EnrollmentFactory(offering=offering, user=world.instructor.user, role=Role.INSTRUCTOR)
    return offering


def copy(world, following, *days: date):
    return arranging.copy_list(source=world.offering, target=following, days=days, by=world.instructor.user)


def test_a_copy_has_the_papers_the_items_and_dates_of_its_own(world, three, following):
    services.set_hidden(reading=three[1], hidden=True, by=world.instructor.user)
    item = three[0].assignment.rubric.items.first()
    item.title = "Edited"
    item.save()
    days = [date(2027, 1, 29), date(2027, 2, 5), date(2027, 2, 12)]
    before = dues(world)
    copied = copy(world, following, *days)
    assert [reading.paper for reading in copied] == [reading.paper for reading in three]
    assert [reading.hidden for reading in copied] == [False, True, False]
    assert [following.day_of(reading.assignment.due_at) for reading in copied] == days
    assert copied[0].assignment.rubric.items.first().title == "Edited"
    assert copied[1].assignment.rubric.items.first().title != "Edited"
    assert dues(world) == before
    assert AuditEvent.objects.filter(action="added a reading", offering_id=following.pk).count() == 3


def test_a_second_copy_adds_nothing_and_a_longer_list_the_rest(world, three, following):
    copy(world, following, date(2027, 1, 29), date(2027, 2, 5), date(2027, 2, 12))
    assert copy(world, following) == []
    add(world, PaperFacts("SGLang"))
    assert [reading.paper.title for reading in copy(world, following, date(2027, 2, 19))] == ["SGLang"]
    assert [reading.assignment.number for reading in Reading.objects.of(following)] == [1, 2, 3, 4]


def test_only_an_instructor_of_both_copies(world, three, following):
    days = [date(2027, 1, 29)] * 3
    for by in (world.ta.user, world.other_instructor.user, world.student.user):
        with pytest.raises(ListRefused, match="instructor of both"):
            arranging.copy_list(source=world.offering, target=following, days=days, by=by)
    assert not Reading.objects.of(following).exists()


def test_a_copy_for_another_number_of_papers_is_refused(world, three, following):
    with pytest.raises(ListRefused, match="changed since"):
        copy(world, following, date(2027, 1, 29))


def test_many_papers_come_weekly_after_the_last(world, three):
    world.offering.recesses.create(name="Spring break", starts_on=date(2026, 3, 28), ends_on=date(2026, 4, 4))
    papers = [PaperFacts("SGLang"), PaperFacts("GPTQ")]
    added = arranging.add_papers(offering=world.offering, papers=papers, by=world.instructor.user, hidden=True)
    # the list ends on 20 March in Chicago; 27 March is free, 3 April is not
    assert [world.offering.day_of(reading.assignment.due_at) for reading in added] == [
        date(2026, 3, 27),
        date(2026, 4, 10),
    ]
    assert [reading.assignment.number for reading in added] == [4, 5]
    assert all(reading.hidden for reading in added)
