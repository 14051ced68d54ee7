"""Changing the rule: who changes and by how much is seen before anything is saved."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from django.urls import reverse

from attendance.models import AttendanceRules
from attendance.records import RecordRefused
from attendance.rules import RulesOutcomeChanged, WantedRules, dry_run, save_rules
from attendance.scores import participation_scores, rules_of
from audit.models import AuditEvent
from tests.factories import SessionFactory, recorded

pytestmark = pytest.mark.django_db
STRICT = WantedRules(0, 0, Decimal(10), 20)


@pytest.fixture
def term(room):
    """Ada came to all of four sessions, Kofi to one."""
    for presence in ("present", "absent", "absent", "absent"):
        session = SessionFactory(offering=room.offering)
        recorded(session, room.student)
        recorded(session, room.classmate, presence)
    return room


def test_a_dry_run_names_who_changes_and_by_how_much(term):
    outcome = dry_run(offering=term.offering, wanted=STRICT)
    (change,) = outcome.changes
    assert change.enrollment == term.classmate
    assert (change.before.share, change.after.share) == (Fraction(3, 4), Fraction(1, 4))
    assert change.difference == Fraction(-1, 2)
    assert outcome.students == 2
    assert not AttendanceRules.objects.exists()


def test_saving_does_what_was_shown(term):
    outcome = dry_run(offering=term.offering, wanted=STRICT)
    save_rules(offering=term.offering, wanted=STRICT, reason="as voted", seen=outcome.digest, by=term.instructor.user)
    assert participation_scores(term.offering)[term.classmate.pk].share == Fraction(1, 4)
    event = AuditEvent.objects.get()
    assert event.before.startswith("2 free absences; participation 0 %, all of it for 10 points")
    assert event.after.endswith("1 of 2 shares changed")
    assert event.reason == "as voted"


def test_what_changed_meanwhile_is_shown_again(term):
    outcome = dry_run(offering=term.offering, wanted=STRICT)
    recorded(SessionFactory(offering=term.offering), term.classmate, "present")
    with pytest.raises(RulesOutcomeChanged) as told:
        save_rules(
            offering=term.offering, wanted=STRICT, reason="as voted", seen=outcome.digest, by=term.instructor.user
        )
    assert told.value.outcome.changes != outcome.changes
    assert not AttendanceRules.objects.exists()


def test_shares_do_not_change_without_a_reason(term):
    seen = dry_run(offering=term.offering, wanted=STRICT).digest
    with pytest.raises(RecordRefused, match="give a reason"):
        save_rules(offering=term.offering, wanted=STRICT, reason=" ", seen=seen, by=term.instructor.user)


def test_where_nobodys_share_changes_none_is_needed(term):
    wanted = WantedRules(2, 0, Decimal(10), 30)
    seen = dry_run(offering=term.offering, wanted=wanted).digest
    save_rules(offering=term.offering, wanted=wanted, reason="", seen=seen, by=term.instructor.user)
    assert rules_of(term.offering).code_every_s == 30


def test_nothing_to_save_is_refused(term):
    same = WantedRules(2, 0, Decimal(10), 20)
    seen = dry_run(offering=term.offering, wanted=same).digest
    with pytest.raises(RecordRefused, match="already"):
        save_rules(offering=term.offering, wanted=same, reason="why", seen=seen, by=term.instructor.user)


class TestPages:
    @pytest.fixture
    def data(self):
        return {
            "free_absences": "0", "participation_share": "0", "participation_target": "10.00", "code_every_s": "20",
        }  # fmt: skip

    @pytest.fixture
    def post(self, term, browser):
        def do(name, data, who=None):
            return browser(who or term.instructor).post(reverse(name, args=[term.offering.slug]), data)

        return do

    def test_the_page_says_the_rule_and_staff_read_it(self, term, browser):
        text = browser(term.ta).get(reverse("attendance-rules", args=[term.offering.slug])).content.decode()
        assert "2 absences cost nothing" in text
        assert "attendance = (counted − max(0, absent − 2)) ÷ counted" in text
        assert 'name="free_absences"' not in text
        text = browser(term.instructor).get(reverse("attendance-rules", args=[term.offering.slug])).content.decode()
        assert 'name="free_absences"' in text

    def test_preview_save_and_see(self, post, data):
        page = post("attendance-rules-dry-run", data)
        text = page.content.decode()
        assert "The share of 1 of 2 students changes." in text
        assert "75 %" in text
        assert "−50" in text
        assert not AttendanceRules.objects.exists()
        seen = page.context["page"].outcome.digest
        refused = post("attendance-rules-save", data | {"seen": seen, "reason": ""})
        assert refused.status_code == 422
        assert "give a reason" in refused.content.decode()
        assert post("attendance-rules-save", data | {"seen": seen, "reason": "as voted"}).status_code == 302
        assert AttendanceRules.objects.get().free_absences == 0

    def test_saving_what_was_not_seen_shows_it(self, post, data):
        answer = post("attendance-rules-save", data | {"seen": "x", "reason": "as voted"})
        assert answer.status_code == 422
        assert "here is the new dry run" in answer.content.decode()
        assert "as voted" in answer.content.decode()

    def test_keep_editing_has_what_was_typed(self, post, data):
        text = post("attendance-rules-dry-run", data | {"edit": "1", "free_absences": "7"}).content.decode()
        assert 'value="7"' in text

    @pytest.mark.parametrize(
        "change",
        [
            {"free_absences": "-1"},
            {"free_absences": "101"},
            {"free_absences": ""},
            {"participation_share": "101"},
            {"participation_share": "x"},
            {"participation_target": "0"},
            {"participation_target": "nan"},
            {"participation_target": "0.001"},
            {"participation_target": "1e12"},
            {"code_every_s": "4"},
            {"code_every_s": "999999999999"},
        ],
    )
    def test_bad_input_gets_a_sentence(self, post, data, change):
        for name in ("attendance-rules-dry-run", "attendance-rules-save"):
            answer = post(name, data | change | {"reason": "why", "seen": "x"})
            assert answer.status_code == 422
            assert "errorlist" in answer.content.decode()
        assert not AttendanceRules.objects.exists()
