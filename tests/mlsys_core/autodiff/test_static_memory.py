"""Plans: what lives at once never overlaps, the arena is near the lower bound, and runs in it are equal to the bit."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import static
from mlsys_core.autodiff.static import Executor, kernel, memory
from mlsys_core.autodiff.static.memory import Buffer
from tests.mlsys_core.autodiff.static_graphs import PROGRAMS, Traced, few

LIVES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 5)), min_size=1, max_size=40)


def buffers(lives: list[tuple[int, int, int]]) -> list[Buffer]:
    """Buffers of size, start and length, in units that need no rounding."""
    return [Buffer((i,), 64 * size, start, start + length) for i, (size, start, length) in enumerate(lives)]


def meet(a: Buffer, b: Buffer) -> bool:
    """Whether two buffers are needed at one time."""
    return a.start <= b.end and b.start <= a.end


def smallest(given: list[Buffer]) -> int:
    """The best arena of all: some order of placing each as low as it goes gives it."""

    def height(order: tuple[int, ...]) -> int:
        at: dict[int, int] = {}
        for i in order:
            low = 0
            for j in sorted((j for j in at if meet(given[i], given[j])), key=at.get):
                if at[j] < low + given[i].nbytes:
                    low = max(low, at[j] + given[j].nbytes)
            at[i] = low
        return max(at[i] + given[i].nbytes for i in at)

    return min(height(order) for order in permutations(range(len(given))))


@settings(max_examples=100, deadline=None)
@given(LIVES)
def test_buffers_that_meet_in_time_do_not_meet_in_memory(lives):
    given = buffers(lives)
    plan = memory.assign(given)
    for (a, at_a), (b, at_b) in combinations(zip(plan.buffers, plan.offsets, strict=True), 2):
        assert not meet(a, b) or at_a + a.nbytes <= at_b or at_b + b.nbytes <= at_a
    assert memory.lower_bound(given) <= plan.nbytes <= sum(b.nbytes for b in given)
    # at every moment, counted the long way
    moments = range(max(b.end for b in given) + 1)
    assert memory.lower_bound(given) == max(sum(b.nbytes for b in given if b.start <= t <= b.end) for t in moments)


def test_small_plans_are_near_the_best_that_all_orders_give(held):
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        given = buffers([tuple(rng.integers((1, 0, 0), (8, 6, 4))) for _ in range(6)])
        best, found = smallest(given), memory.assign(given).nbytes
        assert memory.lower_bound(given) <= best <= found
        ratios.append(found / best)
    # greedy is not optimal; this is how far from it these cases are
    assert np.mean(np.array(ratios) == 1) >= 0.8
    held("memory plan, arena / best", "all orders of placing", float(np.mean(ratios)), 1.0, 0.05)


def test_a_gap_that_just_fits_is_taken_before_a_larger_one():
    given = [
        Buffer((i,), 64 * n, start, end)
        for i, (n, start, end) in enumerate([(8, 0, 1), (7, 0, 9), (6, 0, 1), (5, 0, 9), (4, 2, 9)])
    ]
    plan = memory.assign(given)
    # after time 1 there are gaps of 8 and of 6 units; 4 units go into the second
    assert dict(enumerate(x // 64 for x in plan.offsets)) == {0: 0, 1: 8, 2: 15, 3: 21, 4: 15}


@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
@few
@given(**PROGRAMS)
def test_a_random_program_in_one_arena_is_equal_to_the_bit(optimised, in_place, shapes, steps, seed):
    traced = Traced(shapes, steps, seed)
    graph = static.optimize(traced.graph) if optimised else traced.graph
    traced.holds(graph, static.plan(graph, in_place=in_place))


def test_an_elementwise_chain_needs_one_place_and_without_writing_over_operands_two():
    def run(x):
        for _ in range(10):
            x = ad.exp(x) * 0.1
        return ad.sum(x)

    graph = static.trace(run, np.ones(1000))
    assert static.plan(graph).nbytes == memory.aligned(8000)
    assert static.plan(graph, in_place=False).nbytes == 2 * memory.aligned(8000)


@pytest.mark.parametrize(
    "other", [lambda y: y.T, lambda y: y[::-1], lambda y: y[:, 2:3]], ids=["turned", "reversed", "part"]
)
def test_an_operand_that_is_also_read_elsewhere_is_not_written_over(monkeypatch, other):
    monkeypatch.setattr(kernel, "TILE", 8)
    x = np.random.default_rng(1).standard_normal((7, 7))

    def run(x):
        y = ad.exp(x)
        return ad.sum((y + other(y)) * 2.0 - y, 0)

    graph = static.optimize(static.trace(run, x))
    assert graph.count("add+multiply+subtract") == 1
    np.testing.assert_array_equal(Executor(graph, static.plan(graph))(x)[0], run(ad.Tensor(x)).data)


@pytest.mark.parametrize("operand", [0, 1, 2])
def test_a_choice_may_write_over_any_of_its_operands(operand):
    rng = np.random.default_rng(2)
    x = rng.standard_normal(50)

    def run(x):
        made = [x.data > 0, np.negative(x.data), np.multiply(x.data, 3.0)]
        kept = [y for i, y in enumerate(made) if i != operand]
        chosen = np.where(made[0], made[1] > 0, made[2] > 0) if operand == 0 else np.where(*made)
        return np.multiply(chosen, 1), *(np.multiply(y, 1) for y in kept)

    graph = static.trace(run, x)
    for got, want in zip(Executor(graph, static.plan(graph))(x), run(ad.Tensor(x)), strict=True):
        np.testing.assert_array_equal(got, want)


def test_outputs_are_the_callers_and_share_no_memory():
    x = np.arange(6.0)
    graph = static.trace(lambda x: (x, x.reshape(2, 3), x * 2.0, (x * 2.0).reshape(3, 2), np.ones(2)), x)
    execute = Executor(static.optimize(graph), static.plan(static.optimize(graph)))
    first, kept = execute(x), [y.copy() for y in execute(x)]
    for a, b in combinations(
        (*first, x, execute.arena, *(n.value for n in execute.graph.nodes if n.value is not None)), 2
    ):
        assert not np.shares_memory(a, b) or a is b
    for y in first:
        y[...] = -1.0
    for got, want in zip(execute(x), kept, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_training_step_in_an_arena_is_torchless_eager_to_the_bit_and_smaller():
    rng = np.random.default_rng(0)
    model = ad.nn.GPT(11, 7, width=12, heads=3, blocks=2, rng=rng, dropout=0.1)
    characters, targets = rng.integers(0, 11, (2, 3, 7))
    parameters = model.parameters()

    def step(characters, targets):
        loss = model.loss(characters, targets)
        return loss, *ad.grad(loss, parameters)

    execute = static.compile(step, characters, targets, captured=parameters)
    for parameter in parameters:
        parameter.data += 0.01
    other = rng.integers(0, 11, (2, 3, 7))
    state = rng.bit_generator.state
    want = step(*other)
    rng.bit_generator.state = state
    for got, expected in zip(execute(*other, *parameters), want, strict=True):
        np.testing.assert_array_equal(got, expected.data)
    plan = execute.plan
    assert memory.lower_bound(plan.buffers) <= plan.nbytes <= 1.05 * memory.lower_bound(plan.buffers)
    assert plan.nbytes < 0.6 * sum(b.nbytes for b in plan.buffers)
