"""Figures against numpy, ranges of histograms against counting."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradebook.statistics.figures import Figures, figures_of
from web.templatetags.charts import even_bins, histogram

numbers = st.lists(st.integers(0, 1200).map(lambda tenth: Fraction(tenth, 10)), min_size=1, max_size=80)


@given(numbers)
def test_figures_are_those_of_numpy(values):
    found, other = figures_of(values), np.array([float(value) for value in values])
    assert found.count == len(values)
    assert found.mean * len(values) == sum(values)
    for mine, theirs in (
        (found.median, np.median(other)),
        (found.lower_quartile, np.quantile(other, 0.25)),
        (found.upper_quartile, np.quantile(other, 0.75)),
        (found.sd, other.std()),
        (found.lowest, other.min()),
        (found.highest, other.max()),
    ):
        assert float(mine) == pytest.approx(float(theirs), abs=1e-9)


def test_without_numbers_there_are_no_figures():
    assert figures_of([]) == Figures(0)


@pytest.mark.parametrize(
    ("most", "bins"),
    [
        (12, 12),
        (10, 10),
        (50, 10),
        (100, 10),
        (20, 10),
        (13, 13),
        (14, 7),
        (40, 10),
        (6, 6),
        (7, 7),
        (21, 7),
        (Decimal("7.5"), 15),
    ],
)
def test_ranges_begin_at_round_numbers(most, bins):
    assert even_bins(most) == bins


@given(st.lists(st.integers(0, 130), max_size=60), st.sampled_from([12, 10, 13, 50, 100]))
def test_every_score_is_in_the_range_that_holds_it(tenths, most):
    values = [Decimal(tenth) / 10 for tenth in tenths]
    bars = histogram(values, most)["bars"]
    for bar in bars:
        low, high, last = Decimal(bar["from"]), Decimal(bar["to"]), bar is bars[-1]
        assert bar["count"] == sum(low <= value and (value < high or last) for value in values)
    assert sum(bar["count"] for bar in bars) == len(values)


def test_a_float_on_a_border_is_in_the_upper_range():
    """0.29 × 100 is 28.999… in binary."""
    bars = histogram([0.29], 1, bins=100)["bars"]
    assert bars[29]["count"] == 1


@pytest.mark.parametrize("most", [0, Decimal(0)])
def test_work_of_no_points_has_a_histogram(most):
    assert sum(bar["count"] for bar in histogram([0, 0], most)["bars"]) == 2
