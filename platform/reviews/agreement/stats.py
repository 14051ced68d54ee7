"""Agreement of two readers, and how lenient each reader is. Arrays of float64; what has no value is None, never NaN.

Weighted kappa: J. Cohen, Psychological Bulletin 70 (1968). With quadratic weights it is 1 minus the mean squared difference over
the one that chance alone would give, which the two readers' means and variances tell; so any points will do, not only 0, 1 and 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
NOTHING = 1e-9  # what differs by less does not differ
RESAMPLES = 1000
FEWEST = 5  # submissions below which no interval is told
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where the value lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Of `marks` pairs of marks on `submissions` submissions: how often they are equal, and kappa where it is defined."""

    submissions: int
    marks: int
    exact: float | None
    kappa: float | None
    interval: Interval | None


@dataclass(frozen=True)
class Effect:
    """A value with its interval, and how many submissions it rests on."""

    n: int
    value: float | None
    interval: Interval | None


def weighted_kappa(first: Floats, second: Floats) -> float | None:
    """Cohen's kappa with quadratic weights; None where every mark is the same, so that chance explains all."""
    if not len(first):
        return None
    by_chance = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    return float(1 - np.mean((first - second) ** 2) / by_chance) if by_chance > NOTHING else None


def agreement(first: Floats, second: Floats, submission: Integers) -> Agreement:
    """All of it. `submission` says which submission each pair of marks belongs to."""
    exact = float(np.mean(np.abs(first - second) < NOTHING)) if len(first) else None
    return Agreement(
        submissions=len(np.unique(submission)),
        marks=len(first),
        exact=exact,
        kappa=weighted_kappa(first, second),
        interval=kappa_interval(first, second, submission),
    )


def kappa_interval(first: Floats, second: Floats, submission: Integers) -> Interval | None:
    """Percentile bootstrap over submissions, since the items of one are not independent. The same data give the same interval."""
    names, place = np.unique(submission, return_inverse=True)
    if len(names) < FEWEST:
        return None
    columns = (np.ones_like(first), first, second, first**2, second**2, (first - second) ** 2)
    sums = np.stack([np.bincount(place, column, len(names)) for column in columns], axis=1)
    n, a, b, aa, bb, apart = (_resamples(len(names)) @ sums).T
    by_chance = aa / n - (a / n) ** 2 + bb / n - (b / n) ** 2 + ((a - b) / n) ** 2
    defined = by_chance > NOTHING
    if defined.mean() < 0.9:
        return None
    kappas = 1 - apart[defined] / n[defined] / by_chance[defined]
    low, high = np.quantile(kappas, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(float(low), float(high))


def mean_effect(differences: Floats) -> Effect:
    """The mean difference to the other reader, a submission each, with Student's interval."""
    n = len(differences)
    if not n:
        return Effect(0, None, None)
    value = float(differences.mean())
    if n < FEWEST:
        return Effect(n, value, None)
    half = student_t(n - 1) * float(differences.std(ddof=1)) / n**0.5
    return Effect(n, value, Interval(value - half, value + half))


def reader_effects(reader: Integers, submission: Integers, score: Floats) -> dict[int, Effect]:
    """How many points each reader gives above the average one, whatever they happened to read.

    Least squares of score = submission + reader. Taking each submission's mean away leaves a system of the readers alone, a
    graph's Laplacian, whose shortest solution adds up to zero among readers that are linked by common submissions. A reader who
    shares no submission with anybody has no value.
    """
    if not len(score):
        return {}
    readers, who = np.unique(reader, return_inverse=True)
    works, what = np.unique(submission, return_inverse=True)
    sizes = np.bincount(what, minlength=len(works))
    held = np.zeros((len(works), len(readers)))
    np.add.at(held, (what, who), 1.0)
    laplacian = np.diag(np.bincount(who, minlength=len(readers)).astype(np.float64)) - held.T @ (held / sizes[:, None])
    rest = score - (np.bincount(what, score, len(works)) / sizes)[what]
    solved = np.linalg.pinv(laplacian, rcond=NOTHING, hermitian=True)
    effects = solved @ np.bincount(who, rest, len(readers))
    left = rest - effects[who] + ((held @ effects) / sizes)[what]
    free = len(score) - len(works) - int(np.linalg.matrix_rank(laplacian, tol=NOTHING, hermitian=True))
    spread = float(left @ left) / free if free >= FEWEST - 1 else None
    shared = np.bincount(who, sizes[what] > 1, len(readers)).astype(int)
    return {
        int(name): _effect(int(shared[at]), float(effects[at]), float(solved[at, at]), spread, free)
        for at, name in enumerate(readers)
    }


def linked_groups(reader: Integers, submission: Integers) -> int:
    """How many groups of readers have no submission in common, directly or by others. Effects compare within a group alone."""
    groups: list[set[int]] = []
    for work in np.unique(submission):
        together = {int(name) for name in reader[submission == work]}
        if len(together) > 1:
            met = [group for group in groups if group & together]
            groups = [group for group in groups if not group & together] + [together.union(*met)]
    return len(groups)


def student_t(free: int) -> float:
    """The two-sided 95 % quantile of Student's t with `free` degrees of freedom, by Cornish and Fisher; good from 4 on."""
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(free) ** power for power, term in enumerate(terms, start=1))


@lru_cache(maxsize=4)
def _resamples(n: int) -> Floats:
    """How often each of `n` submissions is drawn, a row a resample. Kept, since all items of a page have the same number."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)


def _effect(n: int, value: float, variance: float, spread: float | None, free: int) -> Effect:
    if not n:
        return Effect(0, None, None)
    if spread is None:
        return Effect(n, value, None)
    half = student_t(free) * (spread * max(variance, 0.0)) ** 0.5
    return Effect(n, value, Interval(value - half, value + half))


def as_floats(values: Sequence[float]) -> Floats:
    """An array of float64."""
    return np.asarray(values, dtype=np.float64)
