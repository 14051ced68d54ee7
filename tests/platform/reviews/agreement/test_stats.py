"""Agreement and leniency held against scikit-learn and scipy, on random data and at the edges. No number is ever NaN."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import cohen_kappa_score

from reviews.agreement.stats import (
    FEWEST,
    agreement,
    kappa_interval,
    linked_groups,
    mean_effect,
    reader_effects,
    student_t,
    weighted_kappa,
)


def two_readers(seed: int, n: int = 60, levels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Marks of two readers who agree more or less."""
    random = np.random.default_rng(seed)
    first = random.integers(0, levels, n)
    noise = random.integers(-1, 2, n) * (random.random(n) < random.random())
    return first.astype(float), np.clip(first + noise, 0, levels - 1).astype(float)


def theirs(first: np.ndarray, second: np.ndarray, levels: int = 3) -> float:
    return cohen_kappa_score(first.astype(int), second.astype(int), labels=list(range(levels)), weights="quadratic")


@pytest.mark.parametrize("levels", [2, 3, 5, 11])
@pytest.mark.parametrize("seed", range(25))
def test_kappa_is_scikit_learns(seed, levels):
    first, second = two_readers(seed, levels=levels)
    assert weighted_kappa(first, second) == pytest.approx(theirs(first, second, levels), abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_kappa_of_readers_who_guess_is_scikit_learns(seed):
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 3, (2, 40)).astype(float)
    assert weighted_kappa(first, second) == pytest.approx(theirs(first, second), abs=1e-12)


def test_kappa_of_half_points_weighs_by_points():
    first, second = two_readers(3, levels=5)
    assert weighted_kappa(first / 2, second / 2) == pytest.approx(theirs(first, second, 5), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second"),
    [([0, 1, 2], [0, 1, 2]), ([0, 2], [2, 0]), ([1, 1, 1], [0, 1, 2]), ([2, 2, 2], [0, 0, 0]), ([0, 0, 2], [0, 0, 2])],
)
def test_kappa_at_the_edges_is_scikit_learns(first, second):
    first, second = np.array(first, float), np.array(second, float)
    assert weighted_kappa(first, second) == pytest.approx(theirs(first, second), abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, 1 / 3])
def test_where_every_mark_is_the_same_kappa_is_not_defined_and_no_nan(value):
    same = np.full(20, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(cohen_kappa_score(np.ones(20, int), np.ones(20, int), weights="quadratic"))
    assert weighted_kappa(same, same) is None
    found = agreement(same, same, np.arange(20))
    assert (found.exact, found.kappa, found.interval) == (1.0, None, None)


def test_nothing_read_gives_nothing():
    nothing = np.zeros(0)
    found = agreement(nothing, nothing, np.zeros(0, int))
    assert (found.marks, found.exact, found.kappa, found.interval) == (0, None, None, None)
    assert reader_effects(np.zeros(0, int), np.zeros(0, int), nothing) == {}
    assert linked_groups(np.zeros(0, int), np.zeros(0, int)) == 0


def test_the_interval_is_the_bootstrap_over_submissions():
    first, second = two_readers(7, n=180)
    submission = np.repeat(np.arange(30), 6)
    found = kappa_interval(first, second, submission)
    random = np.random.default_rng(99)
    kappas = []
    for _ in range(600):
        drawn = np.concatenate([np.flatnonzero(submission == at) for at in random.integers(0, 30, 30)])
        kappas.append(theirs(first[drawn], second[drawn]))
    low, high = np.quantile(kappas, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)
    assert found.low < weighted_kappa(first, second) < found.high
    assert kappa_interval(first, second, submission) == found


def test_items_of_one_submission_are_not_taken_for_independent():
    """Six items that say the same tell as much as one: the interval must not shrink."""
    first, second = np.random.default_rng(11).integers(0, 3, (2, 30)).astype(float)
    once = kappa_interval(first, second, np.arange(30))
    assert once.high - once.low > 0.3
    six = kappa_interval(np.repeat(first, 6), np.repeat(second, 6), np.repeat(np.arange(30), 6))
    assert six.high - six.low == pytest.approx(once.high - once.low, abs=1e-9)


def test_a_few_submissions_have_no_interval():
    first, second = two_readers(1, n=FEWEST - 1)
    assert kappa_interval(first, second, np.arange(FEWEST - 1)) is None


@pytest.mark.parametrize("free", [4, 5, 7, 10, 20, 60, 300])
def test_students_t_is_scipys(free):
    assert student_t(free) == pytest.approx(scipy_stats.t.ppf(0.975, free), rel=2e-3)


@pytest.mark.parametrize("n", [5, 9, 40])
def test_the_mean_difference_has_students_interval(n):
    differences = np.random.default_rng(n).normal(0.4, 1.0, n)
    found = mean_effect(differences)
    low, high = scipy_stats.ttest_1samp(differences, 0).confidence_interval()
    assert found.value == pytest.approx(differences.mean())
    assert (found.interval.low, found.interval.high) == (pytest.approx(low, abs=5e-3), pytest.approx(high, abs=5e-3))


def rows_of(pairs, effects, quality, noise=0.0, seed=0):
    """Reader, submission and score for (submission, two readers)."""
    random = np.random.default_rng(seed)
    rows = [(reader, work, quality[work] + effects[reader]) for work, both in enumerate(pairs) for reader in both]
    reader, work, score = (np.array(column) for column in zip(*rows, strict=True))
    return reader, work, score + random.normal(0, noise, len(score)) if noise else score


def test_a_lenient_reader_of_weak_work_is_told_from_weak_work():
    """Reader 1 gives two points more and reads the weak half; the plain mean of scores would call them strict."""
    pairs = [(0, 1)] * 10 + [(0, 2)] * 10
    quality = [3.0] * 10 + [10.0] * 10
    found = reader_effects(*rows_of(pairs, {0: 0.0, 1: 2.0, 2: 0.0}, quality))
    values = {name: effect.value for name, effect in found.items()}
    assert values == {0: pytest.approx(-2 / 3), 1: pytest.approx(4 / 3), 2: pytest.approx(-2 / 3)}
    assert found[0].n == 20


@pytest.mark.parametrize("seed", range(5))
def test_reader_effects_and_their_intervals_are_those_of_least_squares(seed):
    random = np.random.default_rng(seed)
    pairs = [tuple(random.choice(4, 2, replace=False)) for _ in range(40)]
    reader, work, score = rows_of(pairs, [0.5, -0.5, 1.0, 0.0], random.normal(8, 2, 40), noise=0.7, seed=seed)
    design = np.zeros((len(score), 44))
    design[np.arange(len(score)), work] = 1
    design[np.arange(len(score)), 40 + reader] = 1
    fitted = LinearRegression(fit_intercept=False).fit(design, score)
    expected = fitted.coef_[40:] - fitted.coef_[40:].mean()
    free = len(score) - np.linalg.matrix_rank(design)
    spread = np.sum((score - fitted.predict(design)) ** 2) / free
    centre = np.hstack([np.zeros((4, 40)), np.eye(4) - 0.25])
    errors = np.sqrt(spread * np.diag(centre @ np.linalg.pinv(design.T @ design) @ centre.T))
    found = reader_effects(reader, work, score)
    for at in range(4):
        half = scipy_stats.t.ppf(0.975, free) * errors[at]
        assert found[at].value == pytest.approx(expected[at], abs=1e-9)
        assert found[at].interval.low == pytest.approx(expected[at] - half, abs=1e-3)
        assert found[at].interval.high == pytest.approx(expected[at] + half, abs=1e-3)


def test_readers_without_a_common_submission_are_groups_apart():
    pairs = [(0, 1)] * 6 + [(2, 3)] * 6
    reader, work, score = rows_of(pairs, [1.0, 0.0, 5.0, 0.0], [8.0] * 12)
    assert linked_groups(reader, work) == 2
    found = reader_effects(reader, work, score)
    assert [found[at].value for at in range(4)] == pytest.approx([0.5, -0.5, 2.5, -2.5])
    linked = reader_effects(np.append(reader, [1, 2]), np.append(work, [99, 99]), np.append(score, [3.0, 8.0]))
    assert linked_groups(np.append(reader, [1, 2]), np.append(work, [99, 99])) == 1
    assert linked[2].value - linked[1].value == pytest.approx(5.0)


def test_a_reader_who_reads_alone_has_no_value():
    found = reader_effects(np.array([0, 1, 7]), np.array([0, 0, 1]), np.array([5.0, 6.0, 9.0]))
    assert found[7].value is None
    assert found[7].n == 0
    assert found[0].interval is None
