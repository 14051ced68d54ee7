"""Schedules as data: order, memory, deadlock, and the time that each takes, held against papers, torch and linear programs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from mlsys_core.parallelism.pipeline import (
    Durations,
    bubble_cost,
    durations,
    equal_stages,
    faults,
    gpipe,
    in_flight,
    interleaved_1f1b,
    message_bytes_cost,
    one_f_one_b,
    run_order,
    simulate,
    validate,
    zero_bubble_cost,
    zero_bubble_h1,
)
from tests.mlsys_core.parallelism.precedence import earlier

SIZES = [(p, m) for p in (1, 2, 3, 4, 7) for m in (1, 2, 3, 6, 8, 14)]
times = st.fractions(min_value=Fraction(1, 8), max_value=20, max_denominator=8)


def all_schedules(p, m):
    """Each kind of schedule for p ranks and m microbatches."""
    laps = [interleaved_1f1b(p, m, v) for v in (1, 2, 3)] if m % p == 0 else []
    return [gpipe(p, m), one_f_one_b(p, m), zero_bubble_h1(p, m), *laps]


def test_every_schedule_runs_each_action_once_and_never_stops():
    for p, m in SIZES:
        for schedule in all_schedules(p, m):
            validate(schedule)
            validate(schedule, receives_ahead=None)
            assert sum(map(len, schedule.actions)) == len(list(run_order(schedule)))


def test_gpipe_and_1f1b_need_receives_for_the_next_action_only():
    for p, m in SIZES:
        validate(gpipe(p, m), receives_ahead=1)
        validate(one_f_one_b(p, m), receives_ahead=1)


def test_an_interleaved_schedule_with_receives_for_one_action_stops():
    """Each rank holds a message that the next one takes only after it got rid of its own: a ring of them."""
    assert "posted 1 actions ahead no rank can go on" in faults(interleaved_1f1b(2, 4, 2), receives_ahead=1)[0]


def test_the_bubble_of_equal_stages_is_exactly_the_papers():
    for p, m in SIZES:
        for forward, backward in [(1, 2), (Fraction(3, 7), Fraction(5, 11)), (4, 1)]:
            for schedule in (gpipe(p, m), one_f_one_b(p, m)):
                assert simulate(schedule, equal_stages(schedule, forward, backward)).bubble == Fraction(p - 1, m)
            for v in (1, 2, 3):
                if m % p == 0:
                    schedule = interleaved_1f1b(p, m, v)
                    found = simulate(schedule, equal_stages(schedule, forward, backward)).bubble
                    assert found == Fraction(p - 1, v * m) == bubble_cost(p, m, v)


@given(st.integers(1, 6), st.integers(0, 6), times, times, times)
@settings(max_examples=25, deadline=None)
def test_the_bubble_of_a_split_backward_is_exactly_the_papers(p, more, forward, gradient, weight):
    assume(weight <= min(forward, gradient))
    schedule = zero_bubble_h1(p, p + more)
    found = simulate(schedule, Durations((forward,) * p, (gradient,) * p, (weight,) * p)).bubble
    assert found == zero_bubble_cost(p, p + more, forward, gradient, weight)


def test_with_equal_times_the_split_leaves_a_third_of_the_bubble():
    schedule = zero_bubble_h1(4, 12)
    assert simulate(schedule, equal_stages(schedule)).bubble * 3 == bubble_cost(4, 12)


def test_activations_in_flight_are_those_of_the_paper():
    """GPipe holds m, 1F1B p - rank, interleaved (v+1) p - 2 rank - 1 chunks, the split backward p; never more than there are."""
    for p, m in SIZES:
        assert in_flight(gpipe(p, m)) == [m] * p
        assert in_flight(one_f_one_b(p, m)) == [min(m, p - rank) for rank in range(p)]
        assert in_flight(zero_bubble_h1(p, m)) == [min(m, p)] * p
        for v in (2, 3):
            if m % p == 0:
                assert in_flight(interleaved_1f1b(p, m, v)) == [min(v * m, (v + 1) * p - 2 * r - 1) for r in range(p)]


@pytest.mark.parametrize("kind", ["gpipe", "1f1b", "interleaved", "zero bubble"])
@given(st.data(), st.integers(1, 3), st.integers(1, 2))
@settings(max_examples=8, deadline=None)
def test_uneven_stages_take_as_long_as_the_shortest_plan_that_keeps_the_order(kind, data, p, rounds):
    """The least makespan under the order of each rank and the needs of each action, as a linear program."""
    m = p * rounds
    schedule = {
        "gpipe": gpipe(p, m),
        "1f1b": one_f_one_b(p, m),
        "interleaved": interleaved_1f1b(p, m, 2),
        "zero bubble": zero_bubble_h1(p, m),
    }[kind]
    whole = st.lists(times, min_size=schedule.stages, max_size=schedule.stages)
    given_times = durations(data.draw(whole), data.draw(whole), data.draw(times))
    assert float(simulate(schedule, given_times).elapsed) == pytest.approx(shortest(schedule, given_times), rel=1e-9)


def shortest(schedule, given_times):
    """Least makespan by HiGHS: variables are when actions begin, and when all is over."""
    needs = earlier(schedule)
    number = {node: i for i, node in enumerate(needs)}
    sizes = {node: float(given_times.of(node[0], node[2])) for node in needs}
    over = len(number)
    rows, bounds = [], []
    for node, before in needs.items():
        waits = [(number[node], one, message(schedule, one, node) * float(given_times.transfer)) for one in before]
        for late, early, transfer in [*waits, (over, node, 0.0)]:
            row = np.zeros(over + 1)
            row[late], row[number[early]] = -1, 1
            rows.append(row)
            bounds.append(-sizes[early] - transfer)
    goal = np.zeros(over + 1)
    goal[over] = 1
    return linprog(goal, A_ub=np.array(rows), b_ub=bounds, method="highs").fun


def message(schedule, early, late):
    """Whether the two are on different ranks."""
    return early[2] % schedule.ranks != late[2] % schedule.ranks


@pytest.mark.parametrize(("kind", "wait"), [(gpipe, 2 + 3 + 4), (one_f_one_b, 2 + 4)])
def test_one_slow_stage_slows_all(kind, wait):
    """The run is as long as the slow stage works, and it waits for two forwards before it and two backwards after it; in GPipe
    also for the forward and backward of the stage behind it, in the middle."""
    schedule = kind(4, 32)
    even = simulate(schedule, durations([1] * 4, [2] * 4)).elapsed
    slow = simulate(schedule, durations([1, 1, 3, 1], [2, 2, 6, 2]))
    assert slow.elapsed == 32 * (3 + 6) + wait
    assert 2 < slow.elapsed / even < 3
    assert slow.bubble > 1


def test_slow_messages_cost_gpipe_once_each_way_and_1f1b_in_every_round():
    """With messages as long as two forwards: 1F1B has few activations in flight, so it waits for gradients again and again."""
    all_first = simulate(gpipe(4, 16), equal_stages(gpipe(4, 16), transfer=2))
    alternating = simulate(one_f_one_b(4, 16), equal_stages(one_f_one_b(4, 16), transfer=2))
    assert all_first.elapsed == (16 + 3) * 3 + 2 * 3 * 2
    assert alternating.elapsed > all_first.elapsed


def test_bytes_of_messages_do_not_depend_on_the_number_of_microbatches():
    assert message_bytes_cost(one_f_one_b(4, 8), 8, 16, 32, 4) == 2 * 3 * 8 * 16 * 32 * 4
    assert message_bytes_cost(one_f_one_b(4, 2), 8, 16, 32, 4) == 2 * 3 * 8 * 16 * 32 * 4
    assert message_bytes_cost(interleaved_1f1b(4, 8, 2), 8, 16, 32, 4) == 2 * 7 * 8 * 16 * 32 * 4
    assert message_bytes_cost(interleaved_1f1b(1, 8, 2), 8, 16, 32, 4) == 0


def test_sizes_that_make_no_pipeline_are_refused():
    with pytest.raises(ValueError, match="give at least one"):
        gpipe(0, 4)
    with pytest.raises(ValueError, match="give at least one"):
        one_f_one_b(2, 0)
    with pytest.raises(ValueError, match="a multiple of 4"):
        interleaved_1f1b(4, 6, 2)
    with pytest.raises(ValueError, match="at least one chunk"):
        interleaved_1f1b(4, 8, 0)
