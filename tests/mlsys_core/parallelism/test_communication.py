"""Ranks in one process: what is recorded does not depend on threads, what cannot go on says why, and failures reach everyone."""

from __future__ import annotations

import random
import threading
import time

import pytest
import torch

from mlsys_core.parallelism.collectives import all_reduce, barrier
from mlsys_core.parallelism.communication import DeadlockError, Fabric, LostMessageError, Span, run_ranks


def busy_program(comm, delays):
    """Rings, a tree of groups, transfers beside computation, with pauses that only the threads see."""
    pauses = random.Random(delays * 100 + comm.rank)

    def pause():
        if delays:
            time.sleep(pauses.random() * 0.002)

    tensor = torch.arange(7.0) * (comm.rank + 1)
    half = comm.group([rank for rank in range(comm.size) if rank % 2 == comm.rank % 2])
    for step in range(3):
        pause()
        comm.compute(0.5 + 0.1 * comm.rank, "work")
        with comm.label(f"step {step}"):
            transfer = comm.start(lambda: all_reduce(tensor, comm))
            pause()
            comm.compute(1.5, "more work")
            all_reduce(torch.ones(3), half)
        transfer.wait()
    return tensor, comm.sent_bytes


def record(log):
    """A log without the order in which threads wrote it."""
    return sorted(map(repr, log.messages)), sorted(map(repr, log.spans)), log.ended_at


def test_log_and_clocks_are_the_same_however_threads_run():
    fabric = Fabric(alpha_s=0.3, beta_s=0.01)
    results, log = run_ranks(5, busy_program, 0, fabric=fabric)
    for delays in range(1, 21):
        again, other = run_ranks(5, busy_program, delays, fabric=fabric)
        assert record(other) == record(log)
        assert all(torch.equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(again, results, strict=True))
    assert [log.sent_bytes(rank) for rank in range(5)] == [sent for _, sent in results]


def ring_of_receives(comm):
    comm.recv(torch.zeros(1), (comm.rank + 1) % comm.size)


def one_forgets(comm):
    if comm.rank != 2:
        comm.recv(torch.zeros(1), 2)


def two_of_four(comm):
    """Ranks 1 and 3 wait for each other; 0 and 2 go on for a while."""
    if comm.rank % 2:
        comm.recv(torch.zeros(1), 4 - comm.rank)
    for _ in range(20):
        all_reduce(torch.ones(1), comm.group([0, 2])) if comm.rank % 2 == 0 else None


@pytest.mark.parametrize(
    ("program", "size", "said"),
    [
        (ring_of_receives, 3, "No rank can go on: rank 0 for rank 1; rank 1 for rank 2; rank 2 for rank 0."),
        (one_forgets, 3, "No rank can go on: rank 0 for rank 2, which has ended; rank 1 for rank 2, which has ended."),
        (two_of_four, 4, "No rank can go on: rank 1 for rank 3; rank 3 for rank 1."),
    ],
)
def test_a_deadlock_says_who_waits_for_whom(program, size, said):
    with pytest.raises(DeadlockError) as error:
        run_ranks(size, program)
    assert str(error.value) == said


def test_a_deadlock_inside_a_group_names_the_ranks_of_the_world():
    def program(comm):
        if comm.rank in {1, 3}:
            group = comm.group([3, 1])
            group.recv(torch.zeros(1), 1 - group.rank)

    with pytest.raises(DeadlockError, match="rank 1 for rank 3; rank 3 for rank 1"):
        run_ranks(4, program)


def test_a_failing_rank_stops_those_that_wait_for_it_and_its_error_is_the_one_that_is_raised():
    stopped = []

    def program(comm):
        if comm.rank == 1:
            raise KeyError("the first failure")
        try:
            barrier(comm)
        except RuntimeError as error:
            stopped.append(str(error))
            raise

    before = threading.active_count()
    with pytest.raises(KeyError, match="the first failure"):
        run_ranks(4, program)
    assert sorted(stopped) == [f"Rank {rank} stopped because another rank failed." for rank in (0, 2, 3)]
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("sent", "into"),
    [
        (torch.zeros(3), torch.zeros(4)),
        (torch.zeros(3), torch.zeros(3, dtype=torch.float64)),
        (torch.zeros(2, 3), torch.zeros(6)),
    ],
)
def test_a_message_of_another_shape_or_dtype_is_refused_and_both_are_named(sent, into):
    def program(comm):
        comm.send(sent, 1) if comm.rank == 0 else comm.recv(into, 0)

    with pytest.raises(ValueError) as error:
        run_ranks(2, program)
    assert str(error.value) == (
        f"A message of {tuple(sent.shape)} {sent.dtype} came where {tuple(into.shape)} {into.dtype} was expected."
    )


def test_a_message_that_nobody_receives_is_an_error():
    def program(comm):
        if comm.rank == 2:
            comm.send(torch.zeros(2, 3), 0)

    with pytest.raises(LostMessageError, match=r"Rank 2 sent \(2, 3\) torch.float32 to rank 0"):
        run_ranks(3, program)


def test_the_first_receive_gets_the_first_message_whichever_is_waited_for_first():
    def program(comm):
        if comm.rank == 0:
            for value in range(5):
                comm.send(torch.tensor([value]), 1)
            return None
        into = [torch.zeros(1, dtype=torch.int64) for _ in range(5)]
        asked = [comm.irecv(tensor, 0) for tensor in into]
        for place in (3, 0, 4, 2, 1):
            asked[place].wait()
            asked[place].wait()  # again: nothing more comes
        return [tensor.item() for tensor in into]

    assert run_ranks(2, program)[0][1] == [0, 1, 2, 3, 4]


def test_a_sent_tensor_may_be_changed_at_once_and_views_and_parameters_are_filled():
    def program(comm):
        if comm.rank == 0:
            tensor = torch.arange(6.0).view(2, 3).t()
            sending = comm.isend(tensor, 1)
            tensor.zero_()
            sending.wait()
            comm.send(torch.ones(2), 1)
            return None
        columns = torch.zeros(3, 4)
        weight = torch.nn.Parameter(torch.zeros(2))
        comm.recv(columns[:, ::2], 0)
        return columns, comm.recv(weight, 0)

    columns, weight = run_ranks(2, program)[0][1]
    assert torch.equal(columns, torch.tensor([[0.0, 0, 3, 0], [1, 0, 4, 0], [2, 0, 5, 0]]))
    assert torch.equal(weight, torch.ones(2))
    assert weight.requires_grad


@pytest.mark.parametrize("to", [-1, 3, 1])
def test_there_is_no_message_to_oneself_or_to_a_rank_that_is_not_there(to):
    def program(comm):
        if comm.rank == 1:
            comm.isend(torch.zeros(1), to)

    with pytest.raises(ValueError, match=f"Rank 1 of 3 has no other rank {to} to exchange"):
        run_ranks(3, program)


@pytest.mark.parametrize(
    ("ranks", "said"),
    [([0, 2], "not a member"), ([1, 1], "different ranks"), ([1, 4], "different ranks"), ([1, -2], "different")],
)
def test_a_group_is_made_of_different_ranks_that_are_there_with_the_one_that_asks(ranks, said):
    def program(comm):
        if comm.rank == 1:
            comm.group(ranks)

    with pytest.raises(ValueError, match=said):
        run_ranks(4, program)


def test_messages_of_overlapping_and_nested_groups_never_meet():
    """A cube of 2 x 2 x 2: every axis has its groups, made from the world, from a plane and in reverse order."""

    def program(comm):
        found = []
        for axis in range(3):
            line = sorted({comm.rank & ~(1 << axis), comm.rank | (1 << axis)})
            plane = [rank for rank in range(8) if (rank ^ comm.rank) & (1 << (axis + 1) % 3) == 0]
            inner = comm.group(plane)
            nested = inner.group([plane.index(rank) for rank in line][::-1])
            into = torch.zeros(1)
            # all three are under way before the first is waited for
            found.append(
                (
                    nested.isend(torch.tensor([100.0 * axis + comm.rank]), 1 - nested.rank),
                    nested.irecv(into, 1 - nested.rank),
                    into,
                )
            )
        for sending, receiving, _ in reversed(found):
            receiving.wait()
            sending.wait()
        return [into.item() for _, _, into in found]

    results, _ = run_ranks(8, program)
    assert results == [[100.0 * axis + (rank ^ (1 << axis)) for axis in range(3)] for rank in range(8)]


def test_what_runs_beside_takes_no_time_until_it_is_waited_for():
    def program(comm):
        transfer = comm.start(lambda: all_reduce(torch.ones(4), comm))
        comm.compute(comm.rank + 1.0, "short")
        other = comm.start(lambda: all_reduce(torch.ones(4), comm))
        comm.compute(0.5, "shorter")
        transfer.wait()
        other.wait()

    _, log = run_ranks(2, program, fabric=Fabric(alpha_s=2.0))
    beside = sorted((span for span in log.spans if span.track == "beside"), key=lambda span: (span.rank, span.begun_at))
    # a ring of two is two steps of 2 s; the second transfer begins when the first has ended
    assert [(span.rank, span.begun_at, span.ended_at) for span in beside] == [
        (0, 0, 4),
        (0, 4, 8),
        (1, 0, 4),
        (1, 4, 8),
    ]
    assert {message.track for message in log.messages} == {"beside"}
    assert log.elapsed == 8.0


def test_a_transfer_that_computation_hides_costs_nothing():
    def program(comm):
        transfer = comm.start(lambda: barrier(comm))
        comm.compute(10.0)
        transfer.wait()
        barrier(comm)

    assert run_ranks(2, program, fabric=Fabric(alpha_s=1.0))[1].elapsed == 11.0


def test_a_transfer_cannot_start_another_and_a_failed_one_leaves_the_main_track_in_order():
    def program(comm):
        with pytest.raises(RuntimeError, match="cannot start another"):
            comm.start(lambda: comm.start(lambda: None))
        comm.compute(1.0, "after")

    _, log = run_ranks(1, program)
    assert [span for span in log.spans if span.name == "after"] == [Span(0, "after", "main", 0.0, 1.0)]


def test_a_rank_sends_one_message_at_a_time_and_receives_one_at_a_time():
    def fan(comm):
        """Rank 0 sends to all, then all send to rank 0."""
        others = range(1, comm.size)
        if comm.rank == 0:
            for work in [comm.isend(torch.zeros(5), rank) for rank in others]:
                work.wait()
            for work in [comm.irecv(torch.zeros(5), rank) for rank in others]:
                work.wait()
        else:
            comm.recv(torch.zeros(5), 0)
            comm.send(torch.zeros(5), 0)

    _, log = run_ranks(4, fan, fabric=Fabric(alpha_s=1.0, beta_s=0.1))
    assert sorted(m.arrived_at for m in log.messages if m.source == 0) == [3.0, 6.0, 9.0]
    # the first answer left at 3; rank 0 listens when its own are out, and the three come one after the other
    assert sorted(m.arrived_at for m in log.messages if m.to == 0) == [6.0, 9.0, 12.0]


def test_messages_that_leave_together_come_in_one_after_the_other_as_they_are_waited_for():
    def program(comm):
        if comm.rank:
            comm.send(torch.zeros(comm.rank), 0)
        else:
            for source in (2, 1, 3):
                comm.recv(torch.zeros(source), source)

    _, log = run_ranks(4, program, fabric=Fabric(alpha_s=1.0, beta_s=0.25))
    assert {m.source: (m.left_at, m.arrived_at) for m in log.messages} == {2: (0.0, 3.0), 1: (0.0, 5.0), 3: (0.0, 9.0)}
