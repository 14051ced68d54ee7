"""The rule, held against a count by hand over lists of sessions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance.rule import Rule, Tally, percent, plain, score

HALVES = st.integers(0, 80).map(lambda n: Fraction(n, 4))
PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # a busy machine is no fault of the rule
RULES = st.builds(Rule, st.integers(0, 6), st.integers(0, 100), st.integers(1, 80).map(lambda n: Fraction(n, 4)))


def by_hand(sessions, points, rule):
    """Walk through the term: forgive absences while any are free, then lose a session for each."""
    counted = [state for state in sessions if state != "excused"]
    free, kept = rule.free_absences, 0
    for state in counted:
        if state == "present":
            kept += 1
        elif free:
            free -= 1
            kept += 1
    total, reached = Fraction(0), Fraction(0)
    for given_points in points:
        total += given_points
    reached = Fraction(1) if total >= rule.participation_target else total / rule.participation_target
    weight = Fraction(rule.participation_share) / 100
    if weight == 1:
        return reached
    if not counted:
        return None
    return (1 - weight) * Fraction(kept, len(counted)) + weight * reached


@PATIENT
@given(st.lists(st.sampled_from(["present", "absent", "excused"]), max_size=40), st.lists(HALVES, max_size=8), RULES)
def test_the_rule_is_what_a_walk_through_the_term_finds(sessions, points, rule):
    tally = Tally(*(sessions.count(state) for state in ("present", "absent", "excused")), sum(points, Fraction(0)))
    found = score(tally, rule)
    assert found.share == by_hand(sessions, points, rule)
    assert found.counted == found.present + found.absent == len(sessions) - found.excused
    assert found.free_used == min(found.absent, rule.free_absences)
    assert found.share is None or 0 <= found.share <= 1


@PATIENT
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5), HALVES, RULES)
def test_coming_never_costs_and_neither_does_a_point_or_a_free_absence_more(present, absent, excused, points, rule):
    def share(*, come=0, more=Fraction(0), free=0):
        gentler = Rule(rule.free_absences + free, rule.participation_share, rule.participation_target)
        made = score(Tally(present + come, absent - come, excused, points + more), gentler).share
        return Fraction(-1) if made is None else made

    assert share(more=Fraction(1, 2)) >= share()
    assert share(free=1) >= share()
    if absent:
        assert share(come=1) >= share()


def test_two_absences_are_free_and_the_third_costs_one_session():
    rule = Rule(2, 0, Fraction(10))
    assert score(Tally(28, 2), rule).share == 1
    found = score(Tally(27, 3), rule)
    assert found.share == Fraction(29, 30)
    assert found.free_used == 2
    assert found.steps == (
        "Present in 27 of 30 sessions that count; 3 absences, 2 of them free: (30 − 1) ÷ 30 = 96.67 %.",
    )


def test_participation_takes_its_part_and_is_capped_at_the_target():
    rule = Rule(0, 20, Fraction(10))
    found = score(Tally(3, 1, 2, Fraction(6)), rule)
    assert found.share == Fraction(80, 100) * Fraction(3, 4) + Fraction(20, 100) * Fraction(6, 10)
    assert found.steps == (
        "Present in 3 of 4 sessions that count, 2 excused and not counted; 1 absence, 0 of them free: (4 − 1) ÷ 4 = 75 %.",
        "Participation: 6 of 10 points = 60 %.",
        "Together: 80 % × 75 % + 20 % × 60 % = 72 %.",
    )
    assert score(Tally(4, points=Fraction(99)), rule).share == 1


def test_without_a_session_that_counts_there_is_no_share_yet():
    found = score(Tally(excused=3, points=Fraction(5)), Rule(2, 20, Fraction(10)))
    assert found.share is None
    assert found.attendance is None
    assert found.steps[0] == "No session counts yet, 3 excused and not counted."


def test_where_participation_is_everything_sessions_do_not_matter():
    rule = Rule(0, 100, Fraction(10))
    assert score(Tally(points=Fraction(5)), rule).share == Fraction(1, 2)
    found = score(Tally(0, 9, points=Fraction(5)), rule)
    assert found.share == Fraction(1, 2)
    assert found.steps[-1] == "Together: 100 % × 50 % = 50 %."


def test_points_that_count_for_nothing_are_said_to():
    assert score(Tally(1, points=Fraction(3)), Rule(2, 0, Fraction(10))).steps[-1] == (
        "3 participation points; they count for nothing by this rule."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(2, 3), "0.67"),
        (Fraction(1, 200), "0.01"),
        (Fraction(10), "10"),
        (Fraction(-1, 3), "−0.33"),
        (Fraction(0), "0"),
    ],
)
def test_numbers_are_rounded_from_the_fraction(value, text):
    assert plain(value) == text


def test_a_share_that_is_not_known_is_a_dash():
    assert percent(None) == "–"
    assert percent(Fraction(29, 30)) == "96.67 %"


@pytest.mark.parametrize(
    ("free", "words"), [(0, "0 absences cost nothing"), (1, "1 absence costs nothing"), (2, "2 absences cost nothing")]
)
def test_the_rule_says_itself(free, words):
    rule = Rule(free, 0, Fraction(10))
    assert words in rule.sentences[1]
    assert len(rule.sentences) == 2
    assert "20 %" in Rule(free, 20, Fraction(10)).sentences[2]
