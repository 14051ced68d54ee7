"""Students at risk: each rule at its border, each reason with its number, the most urgent first, and nothing of it for students."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from attendance.models import Attendance, AttendanceRules, Presence
from audit.models import AuditEvent
from config import clock
from gradebook.at_risk.facts import absences_beyond, last_seen
from gradebook.at_risk.rules import Facts, Rules, reasons, run_at_the_end
from gradebook.at_risk.selectors import at_risk, at_risk_page
from gradebook.models import AtRiskRules
from gradebook.presets import weights
from gradebook.services import create_scheme
from gradebook.sources.collect import collect
from projects.models import TeamRules
from submissions.models import Draft
from tests.factories import AssignmentFactory, SessionFactory, deliverable, person, reported, submit, team, team_work
from tests.platform.gradebook.classes import decide, random_scores

OFF = Rules(None, None, None, None, without_team=False)
WELL = Facts(Fraction(95), (), 0, 0, no_team=False)


def told(facts, **rules):
    return [reason.sentence for reason in reasons(facts, Rules(**{**vars(OFF), **rules}))]


def known(**changes):
    return Facts(**{**vars(WELL), **changes})


def test_who_does_well_is_not_listed():
    assert reasons(WELL, Rules()) == ()


@pytest.mark.parametrize(
    ("facts", "rules", "sentence"),
    [
        (known(score=Fraction("59.999")), {"score_below": Fraction(60)}, "Score so far 59.999 %, below 60 %"),
        (known(missing=("Lab 1", "Lab 2")), {"missing_in_row": 2}, "2 missing in a row: Lab 1, Lab 2"),
        (known(missing=("1", "2", "3", "4")), {"missing_in_row": 2}, "4 missing in a row: … 2, 3, 4"),
        (known(absences=1), {"absences_beyond": 1}, "1 absence beyond the free ones"),
        (known(idle_days=14), {"idle_days": 14}, "No activity for 14 days"),
        (known(idle_days=None), {"idle_days": 14}, "No activity at all"),
        (known(no_team=True), {"without_team": True}, "No team, and teams are locked"),
    ],
)
def test_each_rule_names_its_number_and_can_be_turned_off(facts, rules, sentence):
    assert told(facts, **rules) == [sentence]
    assert reasons(facts, OFF) == ()


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        (known(score=Fraction(60)), {"score_below": Fraction(60)}),
        (known(score=None), {"score_below": Fraction(60)}),
        (known(missing=("Lab 1",)), {"missing_in_row": 2}),
        (known(absences=0), {"absences_beyond": 1}),
        (known(idle_days=13), {"idle_days": 14}),
    ],
)
def test_at_the_border_a_rule_is_silent(facts, rules):
    assert told(facts, **rules) == []


@given(st.lists(st.booleans(), max_size=12))
def test_work_in_a_row_is_counted_from_the_latest(states):
    run = run_at_the_end([(str(place), missing) for place, missing in enumerate(states)])
    assert all(states[len(states) - len(run) :])
    assert len(run) == len(states) or not states[len(states) - len(run) - 1]


@pytest.fixture
def klass(world):
    create_scheme(offering=world.offering, weights=weights("A"))
    return world


@pytest.mark.django_db
class TestClass:
    def reasons_of(self, world, who):
        rows, _ = at_risk(world.offering)
        return [reason.sentence for row in rows if row.student.pk == who.pk for reason in row.reasons]

    def test_work_in_a_row_goes_by_due_dates_and_passes_over_what_is_open(self, klass, at):
        now = clock.now()
        for number, days in ((2, 9), (3, 11), (4, 100)):
            AssignmentFactory(
                offering=klass.offering, slug=f"l{number}", number=number, title="T", due_at=now + timedelta(days=days)
            )
        reported(submit(klass.lab, klass.student))
        at(now + timedelta(days=12))
        assert "2 missing in a row: Lab 2: T, Lab 3: T" in self.reasons_of(klass, klass.student)
        assert "3 missing in a row: Lab 1: Tiny, Lab 2: T, Lab 3: T" in self.reasons_of(klass, klass.classmate)

    def test_absences_beyond_the_free_ones(self, klass):
        AttendanceRules.objects.create(offering=klass.offering, free_absences=2)
        for _ in range(4):
            session = SessionFactory(offering=klass.offering)
            Attendance.objects.create(
                session=session, enrollment=klass.classmate, presence=Presence.PRESENT, recorded_at=clock.now()
            )
        assert absences_beyond(klass.offering)[klass.student.pk] == 2
        assert "2 absences beyond the free ones" in self.reasons_of(klass, klass.student)
        assert absences_beyond(klass.offering)[klass.classmate.pk] == 0

    def test_activity_is_whatever_was_last(self, klass, at):
        now = clock.now()
        seen = lambda: last_seen(klass.offering, collect(klass.offering))  # noqa: E731
        assert klass.student.pk not in seen()
        Draft.objects.create(assignment=klass.lab, enrollment=klass.student, updated_at=now - timedelta(days=20))
        assert seen()[klass.student.pk] == now - timedelta(days=20)
        assert "No activity for 20 days" in self.reasons_of(klass, klass.student)
        work = team_work(deliverable(klass.offering), team(klass.offering, klass.classmate, klass.student))
        assert seen()[klass.student.pk] == work.created_at
        at(now + timedelta(days=1))
        klass.student.user.last_login = clock.now()
        klass.student.user.save()
        assert seen()[klass.student.pk] == clock.now()

    def test_a_team_is_missed_after_the_lock_alone(self, klass):
        rules = TeamRules.objects.create(offering=klass.offering, lock_at=clock.now() + timedelta(days=1))
        team(klass.offering, klass.classmate)
        sentence = "No team, and teams are locked"
        assert sentence not in self.reasons_of(klass, klass.student)
        rules.lock_at = clock.now() - timedelta(days=1)
        rules.save()
        assert sentence in self.reasons_of(klass, klass.student)
        assert sentence not in self.reasons_of(klass, klass.classmate)

    def test_the_most_urgent_comes_first(self, klass):
        part = klass.offering.components.get(kind="presentation")
        AtRiskRules.objects.create(offering=klass.offering, idle_days=None, score_below=Decimal(60))
        low = person(klass.offering, name="Very Low")
        for who, points in ((klass.student, "50"), (klass.classmate, "99"), (low, "10")):
            decide(who, part, points)
        rows, students = at_risk(klass.offering)
        assert [row.student.pk for row in rows] == [low.pk, klass.student.pk]
        assert students == 3

    def test_the_page_and_the_file_say_the_same_and_the_file_holds_no_formula(self, klass, browser):
        klass.student.user.name = "=HYPERLINK(1)"
        klass.student.user.save()
        client = browser(klass.ta)
        page = client.get(reverse("at-risk", args=[klass.offering.slug])).content.decode()
        assert "No activity at all" in page
        assert reverse("at-risk-rules", args=[klass.offering.slug]) not in page
        answer = client.get(reverse("at-risk-file", args=[klass.offering.slug]))
        table = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert table[0][:2] == ["name", "email"]
        assert {row[0] for row in table[1:]} == {"'=HYPERLINK(1)", "Kofi Mensah"}
        assert all("No activity at all" in row[-1] for row in table[1:])

    def test_the_instructor_sets_the_rules(self, klass, browser):
        client, url = browser(klass.instructor), reverse("at-risk-rules", args=[klass.offering.slug])
        wrong = client.post(url, {"score_below": "a lot", "missing_in_row": "0", "idle_days": "7"})
        page = wrong.content.decode()
        assert wrong.status_code == 422
        assert 'value="a lot"' in page
        assert page.count("Give a number between") == 2
        assert client.post(url, {"score_below": "70.5", "without_team": "on"}).status_code == 302
        stored = AtRiskRules.objects.get(offering=klass.offering)
        assert (stored.score_below, stored.missing_in_row, stored.idle_days, stored.without_team) == (
            *(Decimal("70.5"), None, None),
            True,
        )
        event = AuditEvent.objects.get(action="set the at-risk rules")
        assert "below 70.5 %" in event.after
        client.post(url, {"score_below": "70.5", "without_team": "on"})
        assert AuditEvent.objects.filter(action="set the at-risk rules").count() == 1

    def test_the_page_is_searched_and_paged(self, klass):
        for _ in range(101):
            person(klass.offering)
        page = at_risk_page(klass.instructor)
        assert (len(page.rows), page.rows.paginator.num_pages, page.named) == (100, 2, 103)
        assert [row.student.pk for row in at_risk_page(klass.ta, q="kofi").rows] == [klass.classmate.pk]

    def test_the_page_asks_the_same_for_any_class(self, klass, browser):
        client = browser(klass.ta)

        def asked():
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse("at-risk", args=[klass.offering.slug])).status_code == 200
            return len(queries)

        asked()
        few = asked()
        random_scores(klass.offering, [person(klass.offering) for _ in range(20)], 4)
        assert asked() == few
