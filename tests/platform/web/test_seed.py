"""The course that the product must run, whole; and the demo's people, who graded nothing by themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from assignments.models import Assignment, Kind
from config import clock
from courses.models import Course, Enrollment, Offering, Session
from grading.models import GradeReport, GradingJob
from readings.models import Paper
from reviews.models import RubricScore
from submissions.models import Submission
from web.seed.course import class_tuesdays, reading_fridays, seed_course
from web.seed.facts import WEEKS

pytestmark = pytest.mark.django_db


@pytest.fixture
def offering() -> Offering:
    return seed_course()


def test_the_term_begins_on_20_january_and_pauses_in_spring_break():
    days = class_tuesdays()
    assert days[0] == date(2026, 1, 20)
    assert all(day.weekday() == 1 for day in days)
    assert date(2026, 3, 17) not in days
    assert (days[7], days[8]) == (date(2026, 3, 10), date(2026, 3, 24))


def test_two_sessions_a_week_on_tuesday_and_thursday(offering):
    assert offering.sessions.count() == 2 * len(WEEKS)
    assert {session.date.weekday() for session in offering.sessions.all()} == {1, 3}
    flash = Session.objects.get(topic="FlashAttention")
    assert (flash.week_label, flash.date) == ("9", date(2026, 3, 24))


def test_ten_papers_are_due_on_fridays_at_the_last_second(offering):
    readings = list(offering.assignments.readings())
    assert len(readings) == 10
    assert reading_fridays()[0] == date(2026, 1, 30)
    assert date(2026, 3, 20) not in reading_fridays()
    assert reading_fridays()[-1] == date(2026, 4, 10)
    assert readings[0].due_at == datetime(2026, 1, 31, 5, 59, 59, tzinfo=UTC)  # still winter time
    assert readings[-1].due_at == datetime(2026, 4, 11, 4, 59, 59, tzinfo=UTC)  # summer time
    assert Paper.objects.get(arxiv_id="2104.04473").venue == "SC"


def test_lab_1_is_published_and_the_others_wait(offering):
    first, second, third = offering.assignments.labs()
    assert (first.points, first.due_at) == (Decimal(100), datetime(2026, 2, 21, 5, 59, 59, tzinfo=UTC))
    assert first.lab is not None
    assert sum(item.points for item in first.rubric.items.all()) == 100
    assert second.lab is None
    assert offering.day_of(second.opens_at) == date(2026, 3, 3)
    assert offering.day_of(third.opens_at) == date(2026, 4, 7)


def test_the_four_deliverables_fit_the_term(offering):
    rows = list(offering.assignments.deliverables().select_related("deliverable"))
    assert [row.deliverable.stage for row in rows] == ["proposal", "midterm", "presentation", "final"]
    assert [offering.day_of(row.due_at) for row in rows] == [
        date(2026, 2, 27),
        date(2026, 4, 3),
        date(2026, 5, 18),  # the evening before the last week of class
        date(2026, 5, 29),
    ]
    assert class_tuesdays()[-1] == date(2026, 5, 19)
    final = rows[-1].deliverable
    assert (final.style, final.pages_from, final.pages_to) == ("neurips-2020", 6, 8)
    assert [row.points for row in rows] == [20, 20, 0, 50]
    assert [hasattr(row, "rubric") for row in rows] == [True, True, False, True]


def test_the_weights_and_letters_are_the_published_ones(offering):
    assert sum(component.weight for component in offering.components.all()) == 100
    assert {c.kind: int(c.weight) for c in offering.components.all()} == {
        "participation": 20,
        "labs": 21,
        "readings": 20,
        "presentation": 14,
        "proposal": 5,
        "midterm": 5,
        "final": 15,
    }
    letters = list(offering.cutoffs.values_list("letter", "absolute", "share"))
    assert letters[0] == ("A+", 95, 5)
    assert letters[-1] == ("F", 0, 5)
    assert sum(share for *_, share in letters) == 100


def test_seeding_again_changes_nothing_that_people_edited(offering):
    Assignment.objects.filter(slug="autodiff").update(title="Our AutoDiff")
    before = [model.objects.count() for model in (Course, Offering, Session, Assignment, Paper)]
    seed_course()
    assert [model.objects.count() for model in (Course, Offering, Session, Assignment, Paper)] == before
    assert Assignment.objects.get(slug="autodiff").title == "Our AutoDiff"


def test_the_demo_is_refused_where_people_are(settings):
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(CommandError, match="password is public"):
        call_command("seed_demo")
    assert not Enrollment.objects.exists()


def test_the_demo_has_submissions_in_every_state_and_grades_them_for_real(settings, files_dir, capsys):
    settings.DEMO = True
    call_command("seed_demo")
    said = capsys.readouterr().out
    assert "ada@demo.gradlab.example" in said
    assert "password" in said
    assert Enrollment.objects.students().count() == 40
    assert Enrollment.objects.staff().count() == 3
    assert {job.status for job in GradingJob.objects.all()} == {"finished", "needs staff", "cancelled"}
    scores = set(GradeReport.objects.values_list("score", flat=True))
    assert {Decimal(0), Decimal(100)} <= scores
    assert len(scores) >= 6
    assert all(report.lab == "autodiff" for report in (row.report for row in GradeReport.objects.all()[:3]))
    assert RubricScore.objects.filter(released_at=None).count() == 1
    assert RubricScore.objects.exclude(released_at=None).count() == 1
    lab = Assignment.objects.get(slug="autodiff", kind=Kind.LAB)
    started = set(lab.submissions.values_list("enrollment", flat=True))
    drafted = set(lab.drafts.values_list("enrollment", flat=True))
    assert drafted - started
    assert Enrollment.objects.students().exclude(pk__in=started | drafted).exists()
    assert all(lab.opens_at < submission.created_at <= lab.due_at for submission in lab.submissions.all())
    assert Submission.objects.filter(number__gte=3).exists()
    before = Submission.objects.count()
    call_command("seed_demo")
    assert Submission.objects.count() == before


def test_the_demos_moment_is_inside_the_term(offering, at):
    at(datetime(2026, 2, 19, 1, 41, tzinfo=UTC))
    assert offering.starts_on < offering.day_of(clock.now()) < offering.ends_on
    assert offering.day_of(clock.now()) == date(2026, 2, 18)
