"""Schedules that cannot run are told, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.communication import DeadlockError, run_ranks
from mlsys_core.parallelism.pipeline import (
    Action,
    Kind,
    ScheduleError,
    faults,
    gpipe,
    in_flight,
    interleaved_1f1b,
    one_f_one_b,
    own_stages,
    run_schedule,
    simulate,
    split_batch,
    validate,
    zero_bubble_h1,
)
from mlsys_core.parallelism.pipeline.simulate import equal_stages
from mlsys_core.workloads.gpt import GPT
from tests.mlsys_core.parallelism.precedence import earlier, has_cycle
from tests.mlsys_core.parallelism.training import TINY, batches

schedules = st.sampled_from(
    [gpipe(2, 3), one_f_one_b(3, 4), one_f_one_b(2, 2), interleaved_1f1b(2, 4, 2), zero_bubble_h1(3, 5)]
)


def with_actions(schedule, rank, actions):
    """The schedule with other actions on one rank."""
    return replace(schedule, actions=tuple(tuple(actions) if r == rank else a for r, a in enumerate(schedule.actions)))


@given(schedules, st.data())
@settings(max_examples=25, deadline=None)
def test_an_action_that_is_missing_is_named(schedule, data):
    rank = data.draw(st.integers(0, schedule.ranks - 1))
    actions = list(schedule.actions[rank])
    gone = actions.pop(data.draw(st.integers(0, len(actions) - 1)))
    found = " ".join(faults(with_actions(schedule, rank, actions)))
    assert f"Rank {rank} never runs the" in found
    assert f"of microbatch {gone.microbatch} in chunk {gone.chunk}" in found


@given(schedules, st.data())
@settings(max_examples=25, deadline=None)
def test_an_action_that_runs_twice_is_named(schedule, data):
    rank = data.draw(st.integers(0, schedule.ranks - 1))
    actions = list(schedule.actions[rank])
    again = data.draw(st.sampled_from(actions))
    actions.insert(data.draw(st.integers(0, len(actions))), again)
    assert f"Rank {rank} runs {again} 2 times." in faults(with_actions(schedule, rank, actions))


@given(schedules, st.data())
@settings(max_examples=25, deadline=None)
def test_an_action_of_nothing_that_is_there_is_named(schedule, data):
    rank = data.draw(st.integers(0, schedule.ranks - 1))
    actions = list(schedule.actions[rank])
    place = data.draw(st.integers(0, len(actions) - 1))
    off = data.draw(st.sampled_from([{"microbatch": schedule.microbatches}, {"microbatch": -1}, {"chunk": 7}]))
    actions[place] = replace(actions[place], **off)
    assert (
        f"Rank {rank} runs {actions[place]}, and there is no such" in faults(with_actions(schedule, rank, actions))[0]
    )


@given(schedules, st.data())
@settings(max_examples=60, deadline=None)
def test_another_order_is_refused_exactly_when_it_has_a_cycle_or_holds_more_than_promised(schedule, data):
    rank = data.draw(st.integers(0, schedule.ranks - 1))
    actions = list(schedule.actions[rank])
    a, b = sorted(data.draw(st.lists(st.integers(0, len(actions) - 1), min_size=2, max_size=2, unique=True)))
    actions.insert(b, actions.pop(a))
    mutant = with_actions(schedule, rank, actions)
    assume(mutant != schedule)
    found = faults(mutant, receives_ahead=None)
    if has_cycle(earlier(mutant)):
        assert len(found) == 1
        assert found[0].startswith("No rank can go on; these wait: ")
        with pytest.raises(ScheduleError):
            simulate(mutant, equal_stages(mutant))
    else:
        over = [r for r, most in enumerate(in_flight(mutant)) if most > schedule.slots[r]]
        assert [sentence.split()[1] for sentence in found] == [str(r) for r in over]


def test_a_deadlock_says_who_waits_for_what():
    swapped = with_actions(
        one_f_one_b(2, 2), 1, [Action(Kind.FORWARD, m) for m in (1, 0)] + [Action(Kind.BACKWARD, m) for m in (0, 1)]
    )
    early = with_actions(swapped, 0, [Action(k, m) for m in (0, 1) for k in (Kind.FORWARD, Kind.BACKWARD)])
    with pytest.raises(ScheduleError, match="1F1B cannot run: No rank can go on") as raised:
        validate(early)
    assert "rank 0 at B0 for the gradient of microbatch 0 from stage 1" in str(raised.value)
    assert "rank 1 at F1 for the activation of microbatch 1 from stage 0" in str(raised.value)


def test_what_the_check_calls_a_deadlock_is_one_when_it_runs():
    early = with_actions(gpipe(2, 2), 0, [Action(k, m) for m in (0, 1) for k in (Kind.FORWARD, Kind.BACKWARD)])
    assert faults(early)
    tokens, targets = batches(TINY, steps=1)[0]

    def program(comm):
        late = with_actions(early, 1, [Action(Kind.FORWARD, 1), Action(Kind.FORWARD, 0), *early.actions[1][2:]])
        return run_schedule(late, own_stages(GPT(TINY), late, comm.rank), comm, split_batch(tokens, targets, 2))

    with pytest.raises(DeadlockError):
        run_ranks(2, program)


def test_a_schedule_that_holds_more_than_it_promises_is_told():
    greedy = replace(gpipe(3, 5), slots=one_f_one_b(3, 5).slots)
    assert faults(greedy) == [f"Rank {r} holds 5 activations at once and promises at most {3 - r}." for r in range(3)]


def test_a_backward_as_a_whole_and_in_parts_is_told():
    split = zero_bubble_h1(1, 1)
    twice = with_actions(split, 0, [*split.actions[0], Action(Kind.BACKWARD, 0)])
    assert faults(twice) == ["Rank 0 runs the backward of microbatch 0 in chunk 0 as a whole and in parts."]


def test_a_rank_without_a_list_is_told():
    short = replace(gpipe(3, 1), actions=gpipe(2, 1).actions)
    assert faults(short) == [
        "Rank 2 never runs the forward of microbatch 0 in chunk 0.",
    ]
    long = replace(gpipe(2, 1), actions=gpipe(3, 1).actions)
    assert faults(long) == ["It lists the actions of 3 ranks and has 2."]
