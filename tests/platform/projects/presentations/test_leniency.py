"""The correction for leniency, held against another way to solve the same problem, and against leniencies that we planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.presentations.leniency import SHRINKAGE, corrected, effects, outliers


def oracle(table: np.ndarray, shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
    """The same by least squares over a design matrix: a row for each mark, and one for each rater that pulls them towards zero."""
    talks, raters = table.shape
    design, wanted = [], []
    for talk, rater in np.argwhere(~np.isnan(table)):
        row = np.zeros(talks + raters)
        row[talk] = row[talks + rater] = 1.0
        design.append(row)
        wanted.append(table[talk, rater])
    for rater in range(raters):
        row = np.zeros(talks + raters)
        row[talks + rater] = shrinkage**0.5
        design.append(row)
        wanted.append(0.0)
    solved = np.linalg.lstsq(np.array(design), np.array(wanted), rcond=None)[0]
    return solved[:talks], solved[talks:]


tables = st.integers(1, 6).flatmap(
    lambda talks: st.integers(1, 8).flatmap(
        lambda raters: st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=raters, max_size=raters).filter(
                lambda row: any(mark is not None for mark in row)
            ),
            min_size=talks,
            max_size=talks,
        )
    )
)


@given(rows=tables, shrinkage=st.sampled_from((0.5, SHRINKAGE, 10.0)))
def test_it_is_the_least_squares_solution(rows, shrinkage):
    table = np.array([[np.nan if mark is None else float(mark) for mark in row] for row in rows])
    values, leniency = effects(table, shrinkage)
    wanted_values, wanted_leniency = oracle(table, shrinkage)
    assert values == pytest.approx(wanted_values, abs=1e-8)
    assert leniency == pytest.approx(wanted_leniency, abs=1e-8)
    assert leniency.sum() == pytest.approx(0.0, abs=1e-8)


def test_where_all_rate_all_the_corrected_mean_is_the_plain_one():
    marks = {talk: {rater: 1 + (talk * 3 + rater * 2) % 5 for rater in range(7)} for talk in range(4)}
    found = corrected(marks)
    for talk, given_marks in marks.items():
        assert found.talks[talk] == pytest.approx(sum(given_marks.values()) / 7)


def test_a_planted_leniency_is_found_and_taken_out():
    """Twelve talks, thirty raters of known leniency. Lenient ones miss the bad talks, and strict ones the good talks."""
    random = np.random.default_rng(498)
    truth = np.linspace(3.0, 7.0, 12)
    leniency = np.repeat((-2.0, 0.0, 2.0), 10)
    table = truth[:, None] + leniency + random.normal(0, 0.4, (12, 30))
    table[:4, 20:] = np.nan
    table[8:, :10] = np.nan
    values, found = effects(table)
    plain = np.nanmean(table, axis=1)
    assert np.abs(values - truth).max() < 0.35
    assert np.abs(plain - truth).max() > 0.6
    assert found == pytest.approx(leniency * 10 / (10 + SHRINKAGE), abs=0.5)  # drawn towards zero, as the ridge says


def test_a_rater_of_one_talk_is_hardly_corrected():
    table = np.array([[3.0, 3.0, 3.0, 5.0], [3.0, 3.0, 3.0, np.nan], [3.0, 3.0, 3.0, np.nan]])
    _, leniency = effects(table)
    assert 0 < leniency[3] < 2 / (1 + SHRINKAGE)


def test_ratings_of_nobody_have_no_mean():
    assert corrected({}) == corrected({1: {}})
    assert corrected({1: {}, 2: {9: 4}}).talks.keys() == {2}


def test_a_mark_far_from_the_others_stands_apart():
    marks = {talk: {rater: 4 + (talk + rater) % 2 for rater in range(12)} for talk in range(5)}
    marks[2][3] = 1
    assert corrected(marks).outliers == {(2, 3)}


def test_who_is_strict_with_everyone_does_not_stand_apart():
    marks = {talk: {rater: 4 + (talk + rater) % 2 for rater in range(12)} for talk in range(8)}
    for given_marks in marks.values():
        given_marks[3] = 2
    assert corrected(marks).outliers == frozenset()


def test_one_step_is_no_news_where_all_agree():
    table = np.full((3, 10), 4.0)
    table[1, 1] = 5.0
    assert not outliers(table).any()
    table[1, 1] = 2.0
    assert np.argwhere(outliers(table)).tolist() == [[1, 1]]


def test_a_few_marks_tell_nothing_about_each_other():
    assert not outliers(np.array([[5.0, 5.0, 5.0, 1.0]])).any()


@given(rows=tables, shift=st.integers(1, 3))
def test_marks_that_are_all_higher_make_talks_better_and_nobody_more_lenient(rows, shift):
    marks = {talk: {rater: mark for rater, mark in enumerate(row) if mark is not None} for talk, row in enumerate(rows)}
    higher = {talk: {rater: mark + shift for rater, mark in row.items()} for talk, row in marks.items()}
    low, high = corrected(marks), corrected(higher)
    for talk, value in low.talks.items():
        assert high.talks[talk] == pytest.approx(value + shift)
    for rater, value in low.raters.items():
        assert high.raters[rater] == pytest.approx(value, abs=1e-8)
