"""Points from marks, in exact fractions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from projects.presentations.arithmetic import Weighing, in_points, mean, points, weights

HALVES = Weighing(Fraction(1, 2), 5)
marks = st.integers(1, 5).map(Fraction)


def test_the_lowest_mark_is_nothing_and_the_highest_all():
    assert [in_points(Fraction(mark), 5) for mark in range(1, 6)] == [0, 25, 50, 75, 100]
    assert in_points(Fraction(10), 10) == 100


def test_staff_and_classmates_make_half_each():
    assert points(Fraction(5), Fraction(3), HALVES) == 75
    assert points(Fraction(21, 5), Fraction(11, 3), HALVES) == (80 + Fraction(200, 3)) / 2  # exact: no third is rounded


def test_another_share():
    assert points(Fraction(5), Fraction(3), Weighing(Fraction(7, 10), 5)) == 85


def test_a_half_that_nobody_gave_is_left_out():
    assert points(None, Fraction(3), HALVES) == 50
    assert points(Fraction(4), None, HALVES) == 75
    assert points(None, None, HALVES) is None
    assert weights(None, Fraction(3), HALVES) == (0, 1)
    assert weights(Fraction(3), None, HALVES) == (1, 0)


def test_a_mean_is_exact():
    assert mean([1, 1, 2]) == Fraction(4, 3)
    assert mean([]) is None


@given(staff=marks, classmates=marks, share=st.fractions(0, 1))
def test_a_score_lies_between_its_halves(staff, classmates, share):
    weighing = Weighing(share, 5)
    found = points(staff, classmates, weighing)
    low, high = sorted((in_points(staff, 5), in_points(classmates, 5)))
    assert low <= found <= high
    assert sum(weights(staff, classmates, weighing)) == 1
