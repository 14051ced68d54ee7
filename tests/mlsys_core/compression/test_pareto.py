"""Fronts and volumes are those of brute force: every pair, every subset of boxes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compression.pareto import Axis, Explorer, Point, dominated, hypervolume


def volume_by_subsets(points, bound):
    """The volume of a union of boxes by inclusion and exclusion over all subsets."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in combinations(points, size):
            total -= (-1) ** size * float(np.prod(np.maximum(np.subtract(bound, np.max(chosen, 0)), 0.0)))
    return total


def volume_by_cells(points, bound):
    """The same by the cells of the grid that all coordinates make, in any dimension."""
    cuts = [np.unique(np.append(np.minimum(points[:, i], bound[i]), bound[i])) for i in range(len(bound))]
    corners = np.stack(np.meshgrid(*(c[:-1] for c in cuts), indexing="ij"), -1)
    sizes = np.prod(np.stack(np.meshgrid(*(np.diff(c) for c in cuts), indexing="ij"), -1), -1)
    return float(
        (sizes * (points[:, None] <= corners.reshape(-1, len(bound))).all(-1).any(0).reshape(sizes.shape)).sum()
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_a_volume_is_that_of_the_union_of_boxes(held, dimensions, count):
    for seed in range(5):
        rng = np.random.default_rng(100 * dimensions + 10 * count + seed)
        points, bound = rng.normal(size=(count, dimensions)), rng.normal(size=dimensions) + 0.7
        if seed == 4:  # ties along every axis
            points, bound = np.round(points), np.ceil(bound) + 1
        expected = volume_by_subsets(points, bound)
        held("Pareto: hypervolume", "inclusion and exclusion", hypervolume(points, bound), expected, 1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 3), st.integers(1, 40))
def test_volumes_of_many_points_in_two_and_three_dimensions(seed, dimensions, count):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 8, (count, dimensions)) / 8 + rng.choice([0.0, 1e-3], (count, dimensions))
    bound = rng.uniform(0.5, 1.1, dimensions)
    found = hypervolume(points, bound)
    assert found == pytest.approx(volume_by_cells(points, bound), abs=1e-12)
    assert found == pytest.approx(hypervolume(points[~dominated(points)], bound), abs=1e-12)
    assert found == pytest.approx(hypervolume(rng.permutation(points), bound), abs=1e-12)
    better = points[:1] - rng.uniform(0, 0.1, dimensions)
    assert hypervolume(np.concatenate((points, better)), bound) >= found - 1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 20))
def test_the_front_is_what_no_pair_puts_out(seed, dimensions, count):
    costs = np.random.default_rng(seed).integers(0, 4, (count, dimensions)).astype(float)
    expected = [any(all(b <= a) and any(b < a) for b in costs) for a in costs]
    assert dominated(costs).tolist() == expected


def test_volumes_of_nothing_and_of_what_cannot_be_measured():
    assert hypervolume([], (1.0, 1.0)) == 0
    assert hypervolume([[2.0, 0.0], [1.0, 0.5]], (1.0, 1.0)) == 0
    with pytest.raises(ValueError, match="finite"):
        hypervolume([[float("nan"), 0.0]], (1.0, 1.0))
    with pytest.raises(ValueError, match="finite"):
        hypervolume([[0.0, 0.0]], (1.0, float("inf")))
    with pytest.raises(ValueError, match="2 dimensions"):
        hypervolume([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], (1.0, 1.0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12))
def test_any_list_of_candidates_has_its_beaten_ones_named_and_its_volume(seed, count):
    """Bytes, loss, speed; the volume by inclusion and exclusion, and by throwing points into the box."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 5, (count, 3)) / 4
    candidates = [(f"way {i}", *row) for i, row in enumerate(numbers.tolist())]
    explorer = Explorer.of((Axis("bytes"), Axis("loss"), Axis("speed", more=True)), candidates)

    def beats(a, b):
        no_worse = a[1] <= b[1] and a[2] <= b[2] and a[3] >= b[3]
        return no_worse and a[1:] != b[1:]

    expected = {b[0]: [a[0] for a in candidates if beats(a, b)] for b in candidates}
    assert explorer.beaten() == {name: by for name, by in expected.items() if by}
    assert names(explorer.front()) == [name for name, by in expected.items() if not by]
    found = explorer.hypervolume((1.0, 1.0, 0.0))
    assert found == pytest.approx(volume_by_subsets(numbers * (1, 1, -1), (1.0, 1.0, 0.0)), abs=1e-12)
    thrown = rng.random((4000, 3))
    worse = (thrown[:, None] >= numbers * (1, 1, 0)) & (thrown[:, None] * (0, 0, 1) <= numbers * (0, 0, 1))
    assert found == pytest.approx(worse.all(-1).any(-1).mean(), abs=5 * 0.5 / 4000**0.5)


AXES = (Axis("bytes a token"), Axis("perplexity"), Axis("tokens/s", more=True))
WAYS = Explorer(
    AXES,
    (
        Point("full", "", (1000.0, 5.0, 80.0)),
        Point("window", "64", (250.0, 5.8, 100.0)),
        Point("window", "128", (500.0, 5.5, 90.0)),
        Point("few bits", "4", (270.0, 5.1, 60.0)),
        Point("few bits", "2", (190.0, 5.9, 60.0)),
    ),
)


def names(points):
    return [point.name for point in points]


def test_a_slow_way_can_be_worth_having_for_its_size():
    assert names(WAYS.front((0, 1))) == ["full", "window 64", "few bits 4", "few bits 2"]
    assert names(WAYS.front()) == ["full", "window 64", "window 128", "few bits 4", "few bits 2"]
    assert names(WAYS.front((1, 2))) == ["full", "window 64", "window 128"]


def test_volumes_have_the_units_of_the_axes_and_know_which_way_is_better():
    only = Explorer(AXES, WAYS.points[1:2])
    assert only.hypervolume((1000.0, 6.0, 50.0)) == pytest.approx(750 * 0.2 * 50)
    assert only.hypervolume((1000.0, 6.0), (0, 1)) == pytest.approx(750 * 0.2)
    assert only.hypervolume((1000.0, 6.0, 200.0)) == 0, "slower than is asked for"
    with pytest.raises(ValueError, match="2 numbers"):
        only.hypervolume((1000.0, 6.0))


def test_a_point_is_worth_the_volume_that_is_lost_without_it():
    bound = (1100.0, 6.0, 50.0)
    lost = WAYS.contributions(bound)
    assert set(lost) == set(names(WAYS.front()))
    costs, signs = WAYS.costs(), np.array([1, 1, -1])
    for i, point in enumerate(WAYS.points):
        less = volume_by_subsets(np.delete(costs, i, 0), signs * bound)
        assert lost[point.name] == pytest.approx(volume_by_subsets(costs, signs * bound) - less)
    assert min(lost.values()) > 0


def test_the_table_is_in_order_and_marks_the_front():
    worse = Explorer(AXES, (*WAYS.points, Point("window", "256", (1000.0, 5.1, 70.0))))
    lines = worse.table((0, 2, 1))
    assert lines[0].split() == ["bytes", "a", "token", "perplexity", "tokens/s"]
    assert len({len(line) for line in lines}) == 1
    assert [line[:1] for line in lines[1:]].count("*") == 5
    assert lines[1].split() == ["*", "few", "bits", "2", "190", "5.90", "60.0"]
    assert next(line for line in lines if "256" in line).split() == ["window", "256", "1,000", "5.10", "70.0"]


def test_the_figure_has_a_line_a_family_and_the_front_with_x_rising():
    figure = WAYS.figure("What is worth having", log_x=True)
    assert [line.label for line in figure.lines] == ["worth having", "full", "window", "few bits"]
    assert figure.lines[0].points == ((190.0, 5.9), (250.0, 5.8), (270.0, 5.1), (1000.0, 5.0))
    assert figure.lines[2].points == ((250.0, 5.8), (500.0, 5.5))
    assert (figure.x, figure.y, figure.log_x) == ("bytes a token", "perplexity", True)
    assert figure.says == "4 of 5 are worth having: few bits 2, window 64, few bits 4, full."


def test_points_that_do_not_fit_the_axes_are_refused():
    with pytest.raises(ValueError, match=r"3 axes.*window 64"):
        Explorer(AXES, (Point("window", "64", (1.0, 2.0)),))
    with pytest.raises(ValueError, match="finite"):
        Explorer(AXES[:1], (Point("window", "64", (float("nan"),)),))
    with pytest.raises(ValueError, match=r"named.*window 64"):
        Explorer(AXES, (WAYS.points[1], WAYS.points[1]))
    assert Explorer(AXES, ()).front() == ()
    assert Explorer(AXES, ()).beaten() == {}
