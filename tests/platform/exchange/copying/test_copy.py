"""A copy has everything of the old offering but people and work; and nothing of it is released."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.apps import apps

from attendance.models import AttendanceRules
from audit.models import AuditEvent
from config import clock
from courses.models import Enrollment, Offering, Recess, Role, Session
from exchange.copying.services import CopyRefused, copy_offering
from exchange.copying.shift import Break
from exchange.copying.spec import Frame, shift_of, source_of, suggested
from exchange.copying.what import COPIED, LEFT
from gradebook.models import AtRiskRules, Component, GradePolicy
from gradebook.presets import weights
from gradebook.services import create_scheme
from projects.models import PresentationRules, TeamRules
from reviews.bank import add_comment
from reviews.models import RubricItem
from reviews.releases.services import release
from reviews.rubrics.models import BankComment
from reviews.similar.models import SimilarSearch
from submissions.models import Submission
from tests.factories import (
    AssignmentFactory,
    ReadingFactory,
    SessionFactory,
    deliverable,
    person,
    reported,
    reviewed,
    submit,
    summary,
    team,
)

pytestmark = pytest.mark.django_db
FALL = Frame("copy-fa26", "Fall 2026", date(2026, 8, 25), date(2026, 12, 10), "1 Hall", "Tue", ())


def fill(world) -> Offering:
    """An offering with something of everything that is copied, and work."""
    offering, by = world.offering, world.instructor.user
    create_scheme(offering=offering, weights=weights("B"))
    GradePolicy.objects.create(
        offering=offering, relative_from=7, round_to=Decimal("0.5"), show_letters=True, revision=4
    )
    AtRiskRules.objects.create(offering=offering, idle_days=9)
    TeamRules.objects.create(offering=offering, largest=4, lock_at=clock.now())
    PresentationRules.objects.create(offering=offering, staff_share=60)
    AttendanceRules.objects.create(offering=offering, free_absences=3)
    Recess.objects.create(offering=offering, name="Old break", starts_on=date(2026, 3, 14), ends_on=date(2026, 3, 22))
    for week in range(1, 4):
        day = date(2026, 1, 20) + timedelta(days=7 * week)
        SessionFactory(offering=offering, week=week, topic=f"Topic {week}", date=day)
    reading = ReadingFactory(assignment__offering=offering).assignment
    ReadingFactory(assignment__offering=offering, hidden=True, archived_at=clock.now())
    deliverable(offering)
    SimilarSearch.objects.create(assignment=reading, quotable="The abstract.", searched_at=clock.now(), texts=5)
    item = reading.rubric.items.first()
    add_comment(item=item, text="Say why.", by=by)
    BankComment.objects.create(item=item, text="gone", created_at=clock.now(), archived_at=clock.now())
    RubricItem.objects.create(
        rubric=reading.rubric, task_id="old", title="Old", points=1, position=9, retired_at=clock.now()
    )
    reviewed(summary(reading, world.student), world.ta)
    release(assignment=reading, by=by)
    reported(submit(world.lab, world.student))
    team(offering, world.student, world.classmate)
    return offering


def copied(world, frame: Frame = FALL) -> Offering:
    source = source_of(world.offering)
    dates = suggested(source, shift_of(source, frame))
    return copy_offering(offering=world.offering, frame=frame, dates=dates, by=world.instructor.user)


def rows_of(model, offering: Offering):
    """The model's rows that belong to the offering, by whatever chain of foreign keys."""
    return model._base_manager.filter(**{path_to_offering(model): offering})


def path_to_offering(model) -> str:
    """The shortest chain of foreign keys to an offering, as a filter writes it."""
    paths = [([], model)]
    for _ in range(6):
        for names, end in paths:
            for field in end._meta.concrete_fields:
                if field.is_relation and field.related_model is Offering:
                    return "__".join([*names, field.name])
        paths = [
            ([*names, field.name], field.related_model)
            for names, end in paths
            for field in end._meta.concrete_fields
            if field.is_relation and field.related_model._meta.label != "accounts.User"
        ]
    raise AssertionError(model)


def test_everything_that_is_copied_is_there_and_nothing_of_the_rest(world):
    old = fill(world)
    new = copied(world)
    for label in COPIED:
        model = apps.get_model(label)
        there, here = rows_of(model, old), rows_of(model, new)
        assert here.count() >= 1, label
        assert here.count() <= there.count(), label
    for label in set(LEFT) - {"courses.Enrollment"}:
        assert rows_of(apps.get_model(label), new).count() == 0, label


def test_a_copied_row_is_the_same_in_everything_that_is_not_named(world):
    old = fill(world)
    new = copied(world)
    for label, rule in COPIED.items():
        model = apps.get_model(label)
        changed = {"id", *rule.owners, *rule.shifted, *rule.fresh}
        same = [field.attname for field in model._meta.concrete_fields if field.name not in changed]
        here = sorted(map(repr, rows_of(model, new).values_list(*same))) if same else []
        there = sorted(map(repr, rows_of(model, old).values_list(*same))) if same else []
        assert set(here) <= set(there), label


def test_nothing_is_released_and_what_was_archived_or_retired_stays_behind(world):
    fill(world)
    new = copied(world)
    assert not new.assignments.filter(released_at__isnull=False).exists()
    assert [row.reading.archived_at for row in new.assignments.readings()] == [None]
    assert RubricItem.ever.filter(rubric__assignment__offering=new).exclude(retired_at=None).count() == 0
    comment = BankComment.objects.get(item__rubric__assignment__offering=new)
    assert (comment.text, comment.used, comment.created_by) == ("Say why.", 0, world.instructor.user)
    search = SimilarSearch.objects.get(assignment__offering=new)
    assert (search.quotable, search.searched_at, search.texts) == ("The abstract.", None, 0)
    policy = GradePolicy.objects.get(offering=new)
    assert (policy.relative_from, policy.round_to, policy.show_letters, policy.revision) == (
        7,
        Decimal("0.5"),
        False,
        0,
    )
    assert sum(row.weight for row in Component.objects.filter(offering=new)) == 100


def test_labs_keep_their_published_version(world):
    new = copied(world)
    assert new.assignments.get(slug="tiny").lab == world.lab.lab
    assert new.assignments.get(slug="tiny").points == world.lab.points


def test_the_old_offering_is_as_it_was(world):
    old = fill(world)
    labels = [*COPIED, *LEFT]
    before = {label: list(rows_of(apps.get_model(label), old).order_by("pk").values()) for label in labels}
    copied(world)
    assert {label: list(rows_of(apps.get_model(label), old).order_by("pk").values()) for label in labels} == before


def test_nobody_comes_along_but_the_instructor_and_the_chosen_staff(world):
    second = person(world.offering, Role.TA)
    gone = person(world.offering, Role.TA)
    gone.dropped_at = clock.now()
    gone.save()
    frame = Frame(**vars(FALL) | {"staff": (second.pk, gone.pk, world.student.pk, world.other_instructor.pk)})
    new = copied(world, frame)
    assert {(row.user, row.role) for row in new.enrollments.all()} == {
        (world.instructor.user, Role.INSTRUCTOR),
        (second.user, Role.TA),
    }


def test_dates_are_those_that_were_given(world):
    fill(world)
    source = source_of(world.offering)
    dates = suggested(source, shift_of(source, FALL))
    lab, session = world.lab.pk, source.sessions[0].pk
    opens, due = datetime(2026, 9, 1, tzinfo=world.offering.zone), datetime(2026, 9, 9, tzinfo=world.offering.zone)
    moved = type(dates)(
        {**dates.sessions, session: date(2026, 9, 2)}, {**dates.assignments, lab: (opens, due)}, clock.now()
    )
    new = copy_offering(offering=world.offering, frame=FALL, dates=moved, by=world.instructor.user)
    copy = new.assignments.get(slug="tiny")
    assert (copy.opens_at, copy.due_at) == (opens, due)
    assert Session.objects.get(offering=new, week=source.sessions[0].week).date == date(2026, 9, 2)
    assert TeamRules.objects.get(offering=new).lock_at is not None


def test_breaks_are_those_of_the_new_term(world):
    fill(world)
    frame = Frame(**vars(FALL) | {"breaks": (Break("Fall break", date(2026, 11, 21), date(2026, 11, 29)),)})
    new = copied(world, frame)
    assert [(row.name, row.starts_on) for row in new.recesses.all()] == [("Fall break", date(2026, 11, 21))]


def test_an_address_that_is_taken_is_refused_and_nothing_is_made(world):
    before = Offering.objects.count()
    with pytest.raises(CopyRefused, match="already"):
        copied(world, Frame(**vars(FALL) | {"slug": world.offering.slug}))
    assert Offering.objects.count() == before


def test_dates_of_another_schedule_are_refused(world):
    source = source_of(world.offering)
    dates = suggested(source, shift_of(source, FALL))
    AssignmentFactory(offering=world.offering, slug="new")
    with pytest.raises(CopyRefused, match="changed meanwhile"):
        copy_offering(offering=world.offering, frame=FALL, dates=dates, by=world.instructor.user)


def test_the_act_stands_in_both_logs(world):
    new = copied(world)
    events = AuditEvent.objects.filter(action="copied an offering")
    assert set(events.values_list("offering_id", flat=True)) == {world.offering.pk, new.pk}


def form_of(page) -> dict[str, str]:
    """What the browser sends back of a page's form."""
    form, dates = page.form, page.dates
    values = {field.html_name: field.value() for part in (form, dates) if part for field in part}
    shown = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            shown[name] = value.strftime("%Y-%m-%dT%H:%M:%S")
        elif value is not None and value != []:
            shown[name] = str(value)
    return shown


TYPED = {"term": "Fall 2026", "slug": "copy-fa26", "starts_on": "2026-08-25", "ends_on": "2026-12-10"}


def test_the_page_shows_all_dates_and_then_makes_the_copy(world, browser, client):
    fill(world)
    client, url = browser(world.instructor), f"/o/{world.offering.slug}/exchange/copy/"
    shown = client.post(url, TYPED | {"step": "dates", "staff": [world.ta.pk]})
    page = shown.context["page"]
    assert len(page.sessions) == 3
    assert len(page.work) == 3
    answer = client.post(url, form_of(page) | {"step": "make", "staff": [world.ta.pk]})
    assert answer.status_code == 302, answer.context["page"].form.errors or answer.context["page"].dates.errors
    new = Offering.objects.get(slug="copy-fa26")
    assert new.enrollments.filter(user=world.ta.user, role=Role.TA).exists()
    assert client.get(answer.url).status_code == 200
    for copy in new.assignments.all():
        old = world.offering.assignments.get(slug=copy.slug)
        was, is_now = (row.due_at.astimezone(new.zone).replace(microsecond=0) for row in (old, copy))
        assert (is_now.time(), is_now.weekday()) == (was.time(), was.weekday())


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"slug": ""}, "required"),
        ({"ends_on": "2026-08-01"}, "The last day comes after"),
        ({"ends_on": "2031-08-01"}, "within a year"),
        ({"break_0_name": "Fall break"}, "needs a name, a first and a last day"),
        ({"break_0_name": "b", "break_0_from": "2026-11-29", "break_0_to": "2026-11-21"}, "comes after it"),
        ({"starts_on": "soon"}, "valid date"),
        ({"slug": "a b"}, "valid"),
    ],
)
def test_what_cannot_be_comes_back_with_all_that_was_typed(world, browser, typed, words):
    answer = browser(world.instructor).post(
        f"/o/{world.offering.slug}/exchange/copy/", TYPED | {"room": "1 Hall"} | typed | {"step": "dates"}
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert answer.context["page"].form["room"].value() == "1 Hall"


def test_due_before_open_is_refused_beside_the_date(world, browser):
    client, url = browser(world.instructor), f"/o/{world.offering.slug}/exchange/copy/"
    page = client.post(url, TYPED | {"step": "dates"}).context["page"]
    sent = form_of(page) | {"step": "make", f"due_{world.lab.pk}": "2020-01-01T00:00:00"}
    answer = client.post(url, sent)
    assert answer.status_code == 422
    assert "It is due before it opens" in answer.content.decode()
    assert not Offering.objects.filter(slug="copy-fa26").exists()


def test_days_in_a_break_and_behind_the_end_are_pointed_out(world, browser):
    fill(world)
    typed = {
        "break_0_name": "Monday off",
        "break_0_from": "2026-08-31",
        "break_0_to": "2026-09-02",
        "ends_on": "2026-09-05",
    }
    page = (
        browser(world.instructor)
        .post(f"/o/{world.offering.slug}/exchange/copy/", TYPED | typed | {"step": "dates"})
        .context["page"]
    )
    assert [row.trouble for row in page.sessions] == ["", "in Monday off", "after the last day"]


def test_the_number_of_queries_does_not_depend_on_the_class(world, django_assert_max_num_queries):
    for _ in range(30):
        person(world.offering)
    with django_assert_max_num_queries(60):
        copied(world)
    assert Enrollment.objects.filter(offering__slug="copy-fa26").count() == 1
    assert Submission.objects.filter(assignment__offering__slug="copy-fa26").count() == 0
