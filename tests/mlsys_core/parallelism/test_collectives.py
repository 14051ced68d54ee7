"""Collectives give every rank the plain sum or its part, and the log of every run equals the formulas: bytes, steps and time."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.parallelism.collectives import (
    ALL_REDUCE,
    Islands,
    all_gather,
    all_gather_into_tensor,
    all_reduce,
    all_to_all_single,
    barrier,
    best_algorithm,
    broadcast,
    chunk_sizes,
    crossovers,
    reduce,
    reduce_scatter,
    reduce_scatter_tensor,
    two_level_all_reduce,
)
from mlsys_core.parallelism.collectives.exchange import all_to_all_cost, all_to_all_sent
from mlsys_core.parallelism.collectives.islands import two_level_cost, two_level_sent, two_level_steps
from mlsys_core.parallelism.collectives.ring import all_gather_sent, reduce_scatter_sent, ring_cost, ring_steps
from mlsys_core.parallelism.collectives.tree import broadcast_sent, reduce_sent, tree_cost, tree_steps
from mlsys_core.parallelism.communication import Fabric, run_ranks

RANKS = range(2, 17)
STEPS = Fabric(alpha_s=1.0, beta_s=0.0)
TIMED = Fabric(alpha_s=3.0, beta_s=0.25)  # sums of these are exact
FLOAT = 4  # bytes


def sizes_of(p: int) -> list[int]:
    """None, fewer than ranks, one more or less than a multiple, a multiple."""
    return [0, 1, p - 1, 2 * p + 1, 3 * p]


def inputs(p: int, *shape: int, seed: int = 0) -> list[torch.Tensor]:
    """Integers, whose sums are exact in any order, a tensor a rank."""
    draws = torch.Generator().manual_seed(seed + 100 * p)
    return [torch.randint(-999, 1000, shape, generator=draws).float() for _ in range(p)]


def sent(log, p: int) -> list[int]:
    return [log.sent_bytes(rank) for rank in range(p)]


@pytest.mark.parametrize("p", RANKS)
@pytest.mark.parametrize("name", ALL_REDUCE)
def test_all_reduce_is_the_sum_in_the_bytes_and_steps_of_its_formulas(name, p):
    algorithm = ALL_REDUCE[name]
    for n in sizes_of(p):
        tensors = inputs(p, n)
        found, log = run_ranks(p, lambda comm: all_reduce(tensors[comm.rank].clone(), comm, name), fabric=STEPS)  # noqa: B023
        assert all(torch.equal(one, sum(tensors)) for one in found)
        assert sent(log, p) == [FLOAT * algorithm.sent(p, n, rank) for rank in range(p)]
        assert log.elapsed == algorithm.steps(p)


@pytest.mark.parametrize("p", RANKS)
def test_the_clock_of_every_algorithm_is_its_cost(p):
    n = 16 * p  # every chunk of p and of a power of two is even
    whole, part = torch.ones(n), torch.ones(n // p)
    timed = [
        *(
            (lambda comm, name=name: all_reduce(whole.clone(), comm, name), algorithm.cost)
            for name, algorithm in ALL_REDUCE.items()
        ),
        (lambda comm: reduce_scatter_tensor(part.clone(), whole, comm), ring_cost),
        (lambda comm: all_gather_into_tensor(whole.clone(), part, comm), ring_cost),
        (lambda comm: all_to_all_single(torch.empty(n), whole, comm), all_to_all_cost),
        (lambda comm: broadcast(whole.clone(), comm), tree_cost),
        (lambda comm: reduce(whole.clone(), comm), tree_cost),
    ]
    for program, cost in timed:
        _, log = run_ranks(p, program, fabric=TIMED)
        assert log.elapsed == cost(p, FLOAT * n, TIMED.alpha_s, TIMED.beta_s)


@pytest.mark.parametrize("p", [1, *RANKS])
def test_parts_of_any_size_are_scattered_and_gathered(p):
    sizes = [(3 * rank) % 5 for rank in range(p)]
    parts = [inputs(p, sizes[rank], 2, seed=rank) for rank in range(p)]  # parts[r][s]: of rank s, for rank r

    def program(comm):
        with comm.label("scatter"):
            mine = reduce_scatter(torch.empty(sizes[comm.rank], 2), [part[comm.rank] for part in parts], comm)
        with comm.label("gather"):
            return mine, all_gather([torch.empty(size, 2) for size in sizes], mine, comm)

    found, log = run_ranks(p, program, fabric=STEPS)
    sums = [sum(part) for part in parts]
    for rank, (mine, everything) in enumerate(found):
        assert torch.equal(mine, sums[rank])
        assert all(torch.equal(a, b) for a, b in zip(everything, sums, strict=True))
        assert log.sent_bytes(rank, "scatter") == 2 * FLOAT * reduce_scatter_sent(sizes, rank)
        assert log.sent_bytes(rank, "gather") == 2 * FLOAT * all_gather_sent(sizes, rank)
    assert log.elapsed == 2 * ring_steps(p)


@pytest.mark.parametrize("p", [1, *RANKS])
def test_all_to_all_swaps_parts_of_any_size(p):
    splits = [[(rank * 3 + to * 2 + 1) % 4 for to in range(p)] for rank in range(p)]
    tensors = [inputs(p, sum(splits[rank]), 3, seed=rank)[rank] for rank in range(p)]

    def program(comm):
        come = [splits[rank][comm.rank] for rank in range(p)]
        return all_to_all_single(torch.empty(sum(come), 3), tensors[comm.rank], comm, come, splits[comm.rank])

    found, log = run_ranks(p, program, fabric=STEPS)
    pieces = [tensor.split(split) for tensor, split in zip(tensors, splits, strict=True)]
    for rank in range(p):
        assert torch.equal(found[rank], torch.cat([pieces[source][rank] for source in range(p)]))
        assert log.sent_bytes(rank) == 3 * FLOAT * all_to_all_sent(splits[rank], rank)
    assert log.elapsed == p - 1


@pytest.mark.parametrize("p", [1, *RANKS])
def test_broadcast_and_reduce_have_any_root(p):
    root = (2 * p) // 3
    tensors = inputs(p, 3, 5)

    def program(comm):
        with comm.label("down"):
            down = broadcast(tensors[comm.rank].clone(), comm, root)
        with comm.label("up"):
            return down, reduce(tensors[comm.rank].clone().t(), comm, root)

    found, log = run_ranks(p, program, fabric=STEPS)
    for rank, (down, up) in enumerate(found):
        place = (rank - root) % p
        assert torch.equal(down, tensors[root])
        assert torch.equal(up.t(), sum(tensors) if rank == root else tensors[rank])
        assert log.sent_bytes(rank, "down") == FLOAT * broadcast_sent(p, 15, place)
        assert log.sent_bytes(rank, "up") == FLOAT * reduce_sent(p, 15, place)
    assert tree_steps(p) <= log.elapsed <= 2 * tree_steps(p)


@pytest.mark.parametrize("name", ALL_REDUCE)
@pytest.mark.parametrize("p", [2, 3, 6, 8, 13])
def test_every_rank_gets_the_same_bits_of_a_rounded_sum(name, p):
    tensors = [torch.randn(23, generator=torch.Generator().manual_seed(rank)) for rank in range(p)]
    found, _ = run_ranks(p, lambda comm: all_reduce(tensors[comm.rank].clone(), comm, name))
    assert all(torch.equal(one, found[0]) for one in found)
    torch.testing.assert_close(found[0].double(), sum(one.double() for one in tensors), rtol=0, atol=4e-7 * p)


def test_any_shape_layout_and_dtype_is_summed_in_place():
    def program(comm):
        rows = torch.arange(24).view(4, 6) * (comm.rank + 1)
        weight = torch.nn.Parameter(torch.full((2, 2), 0.5 + comm.rank))
        return [
            all_reduce(t, comm, "halving") for t in (rows[:, ::2], rows.t()[1::2], torch.tensor(comm.rank), weight)
        ], rows

    (found, rows), *_ = run_ranks(3, program)[0]
    start = torch.arange(24).view(4, 6)
    assert torch.equal(found[0], start[:, ::2] * 6)
    assert torch.equal(rows[:, 1::2], start[:, 1::2] * 6)
    assert found[2] == 3
    assert torch.equal(found[3], torch.full((2, 2), 4.5))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(0, 40), st.sampled_from(sorted(ALL_REDUCE)))
def test_what_all_ranks_send_is_what_all_receive_and_never_less_than_the_bound(p, n, name):
    _, log = run_ranks(p, lambda comm: all_reduce(torch.ones(n), comm, name))
    assert sum(sent(log, p)) == sum(message.size for message in log.messages)
    assert sum(sent(log, p)) >= 2 * (p - 1) * FLOAT * n  # every rank's share must leave it, and the sum must come back


def test_chunks_differ_by_one_at_most_and_the_ring_is_the_one_that_spreads_its_bytes():
    assert chunk_sizes(11, 4) == [3, 3, 3, 2]
    assert [max(ALL_REDUCE[name].sent(8, 800, rank) for rank in range(8)) for name in ALL_REDUCE] == [
        1400,
        2400,
        1400,
        2400,
    ]


def test_a_barrier_holds_everyone_until_the_last_has_come():
    def program(comm):
        comm.compute(float(comm.rank == 3) * 5)
        barrier(comm)
        comm.compute(0.0, "after")

    _, log = run_ranks(5, program, fabric=STEPS)
    assert min(span.begun_at for span in log.spans if span.name == "after") >= 5.0


def clock_of(p: int, n: int, name: str, fabric: Fabric) -> float:
    """Of an all-reduce of n bytes, from the log."""
    return run_ranks(p, lambda comm: all_reduce(torch.ones(n // FLOAT), comm, name), fabric=fabric)[1].elapsed


@pytest.mark.parametrize("p", [2, 3, 5, 8, 12])
def test_the_algorithm_that_is_chosen_is_the_fastest_by_the_log_on_both_sides_of_a_crossover(p):
    fabric = Fabric(alpha_s=8192.0, beta_s=0.125)
    grain = 16 * p * FLOAT  # sizes of which every chunk is even
    assert len(crossovers(p, 8192.0, 0.125)) == {2: 1, 3: 2, 5: 2, 8: 2, 12: 3}[p]
    for start, name in crossovers(p, 8192.0, 0.125):
        below, above = int(start / grain) * grain, (int(start / grain) + 1) * grain
        clocks = {n: {one: clock_of(p, n, one, fabric) for one in ALL_REDUCE} for n in (below, above)}
        for n, found in clocks.items():
            assert found[best_algorithm(p, n, fabric)] == min(found.values())
        assert clocks[above][name] == min(clocks[above].values())
        assert start == 0 or clocks[below][name] > min(clocks[below].values())


def test_crossovers_are_the_lower_envelope_of_all_costs():
    for p in range(2, 130):
        bounds = [*crossovers(p, 7.0, 0.5), (1e9, "")]
        for (start, name), (end, _) in pairwise(bounds):
            assert start < end
            middle = start + (min(end, 10 * start + 1e5) - start) / 2
            costs = {one: algorithm.cost(p, middle, 7.0, 0.5) for one, algorithm in ALL_REDUCE.items()}
            assert costs[name] <= min(costs.values()) * (1 + 1e-12)


@pytest.mark.parametrize(("p", "island"), [(4, 2), (6, 3), (6, 2), (8, 4), (16, 8), (12, 4), (5, 5), (3, 1)])
def test_two_levels_are_the_sum_in_the_bytes_steps_and_time_of_their_formulas(p, island):
    fabric = Islands(alpha_s=1.0, beta_s=0.125, island=island, outer_alpha_s=5.0, outer_beta_s=2.0)
    for n in [*sizes_of(p), 16 * p]:
        tensors = inputs(p, n)
        program = lambda comm: two_level_all_reduce(tensors[comm.rank].clone(), comm, island)  # noqa: B023, E731
        found, log = run_ranks(p, program, fabric=fabric)
        assert all(torch.equal(one, sum(tensors)) for one in found)
        assert sent(log, p) == [FLOAT * two_level_sent(p, n, rank, island) for rank in range(p)]
        assert run_ranks(p, program, fabric=STEPS)[1].elapsed == two_level_steps(p, island)
    assert log.elapsed == two_level_cost(p, FLOAT * 16 * p, fabric)


def test_on_islands_two_levels_beat_the_flat_ring_and_carry_a_share_of_its_bytes_outside():
    fabric = Islands(alpha_s=1.0, beta_s=0.01, island=4, outer_alpha_s=10.0, outer_beta_s=0.25)
    p, n = 16, 1600
    _, flat = run_ranks(p, lambda comm: all_reduce(torch.ones(n), comm), fabric=fabric)
    _, levels = run_ranks(p, lambda comm: two_level_all_reduce(torch.ones(n), comm, 4), fabric=fabric)

    def outside(log):
        return sum(m.size for m in log.messages if m.source // 4 != m.to // 4)

    assert flat.elapsed == ALL_REDUCE["ring"].cost(p, FLOAT * n, 10.0, 0.25)
    assert levels.elapsed == pytest.approx(two_level_cost(p, FLOAT * n, fabric))
    assert levels.elapsed < 0.3 * flat.elapsed
    assert outside(levels) == 2 * (4 - 1) * FLOAT * n  # across 4 islands, all parts together
    assert outside(flat) == 4 * 2 * (p - 1) * FLOAT * n // p  # 4 links of the ring go outside
    # each rank's own port carries less: 2 * 3/4 of a quarter of n, and not 2 * 15/16 of n
    assert (
        max(sum(m.size for m in levels.messages if m.source == r and m.to // 4 != r // 4) for r in range(p))
        == 600 * FLOAT
    )
    assert best_algorithm(p, FLOAT * n, fabric) == "two_level"
    assert best_algorithm(4, FLOAT * n, fabric) == best_algorithm(4, FLOAT * n, Fabric(1.0, 0.01))
    assert best_algorithm(5, FLOAT * n, fabric) == best_algorithm(5, FLOAT * n, Fabric(10.0, 0.25))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda comm: all_reduce(torch.ones(2), comm, "star"), "no all-reduce called 'star': give one of ring, tree"),
        (lambda comm: reduce_scatter_tensor(torch.ones(2), torch.ones(5), comm), "5 rows are not 2 times 2"),
        (lambda comm: all_gather_into_tensor(torch.ones(5), torch.ones(2), comm), "5 rows are not 2 times 2"),
        (lambda comm: all_gather_into_tensor(torch.ones(4, 3), torch.ones(2, 1), comm), "does not fit"),
        (lambda comm: reduce_scatter_tensor(torch.ones(2).double(), torch.ones(4), comm), "does not fit"),
        (lambda comm: all_gather([torch.ones(2)], torch.ones(2), comm), "1 tensors were given where each of 2 ranks"),
        (
            lambda comm: all_to_all_single(torch.ones(4), torch.ones(4), comm, [2, 2], [1, 2]),
            "do not cut 4 rows into 2",
        ),
        (lambda comm: all_to_all_single(torch.ones(4), torch.ones(4), comm, [4], [2, 2]), "do not cut 4 rows into 2"),
        (lambda comm: two_level_all_reduce(torch.ones(4), comm, 3), "2 ranks are not whole islands of 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        run_ranks(2, call)
