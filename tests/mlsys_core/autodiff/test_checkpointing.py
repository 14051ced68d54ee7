"""Checkpoints change what is kept and nothing else: gradients are equal to the bit, and the tape stays within its budget."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint as theirs

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor
from mlsys_core.autodiff.checkpointing import (
    BudgetError,
    Meter,
    Recorded,
    Redone,
    Stage,
    budget,
    checkpoint,
    checkpoint_sequential,
    cost,
    kept_bytes,
    measured,
    optimal,
    peak,
    run_plan,
)


class Chain:
    """Layers of different widths, with weights that they are not given and dropout of one generator."""

    def __init__(self, seed: int, widths: list[int], drop: float = 0.2) -> None:
        self.rng = np.random.default_rng(seed)
        self.weights = [
            Tensor(self.rng.standard_normal((a, b)) / np.sqrt(a), requires_grad=True) for a, b in pairwise(widths)
        ]
        self.x = Tensor(self.rng.standard_normal((5, widths[0])), requires_grad=True)
        self.layers = [self.layer(w, drop) for w in self.weights]
        self.meter = Meter()
        self.runs = 0

    def layer(self, w: Tensor, drop: float):
        """tanh(x w) with dropout; where it is recorded, the meter looks."""

        def run(x: Tensor) -> Tensor:
            self.runs += 1
            out = ad.dropout(ad.tanh(x @ w), drop, self.rng)
            return self.meter.note(out) if ad.is_recording() else out

        return run

    def plain(self, x: Tensor) -> Tensor:
        """All layers, all recorded."""
        for layer in self.layers:
            x = layer(x)
        return x

    def gradients(self, run) -> list[np.ndarray]:
        """The result and all gradients of a way to run the chain, always with the same draws."""
        self.rng.bit_generator.state = np.random.default_rng(99).bit_generator.state
        self.meter, self.runs = Meter(), 0
        for t in (self.x, *self.weights):
            t.grad = None
        loss = ad.sum(run(self.x))
        after = self.rng.bit_generator.state
        loss.backward(retain_graph=False)
        assert self.rng.bit_generator.state == after, "doing it again draws nothing that later draws would miss"
        return [loss.data, *(t.grad.data for t in (self.x, *self.weights))]


def equal(found, expected):
    """The same bits."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def nested(chain: Chain, start: int, stop: int):
    """Layers start to stop, halves inside of halves, each a checkpoint."""
    if stop - start == 1:
        return chain.layers[start]
    middle = (start + stop) // 2
    return lambda x: checkpoint(nested(chain, middle, stop), checkpoint(nested(chain, start, middle), x))


WAYS = {
    "one": lambda c: lambda x: checkpoint(c.plain, x),
    "each": lambda c: lambda x: checkpoint_sequential(c.layers, len(c.layers), x),
    "root n": lambda c: lambda x: checkpoint_sequential(c.layers, None, x),
    "nested": lambda c: nested(c, 0, len(c.layers)),
    "one in one": lambda c: lambda x: checkpoint(lambda y: checkpoint(c.plain, y) * 2.0, x) * 0.5,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_equal_to_the_bit_with_dropout(way, seed):
    rng = np.random.default_rng(seed)
    chain = Chain(seed, [int(n) for n in rng.integers(2, 9, rng.integers(3, 11))])
    expected = chain.gradients(chain.plain)
    equal(chain.gradients(WAYS[way](chain)), expected)
    if way in {"one", "root n", "each"}:
        assert chain.runs <= 2 * len(chain.layers)


@pytest.mark.parametrize("kind", ["arguments", "captured"])
def test_it_is_torchs_checkpoint(held, kind):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))

    def f(library):
        return lambda a, b, n: library.tanh(a @ b) * n @ b

    ours, others = (
        [Tensor(v, requires_grad=True) for v in (x, w)],
        [torch.tensor(v, requires_grad=True) for v in (x, w)],
    )
    if kind == "arguments":
        y, z = checkpoint(f(ad), *ours, 3.0), theirs(f(torch), *others, 3.0, use_reentrant=False)
    else:
        y = checkpoint(lambda a: f(ad)(a, ours[1], 3.0), ours[0])
        z = theirs(lambda a: f(torch)(a, others[1], 3.0), others[0], use_reentrant=False)
    u = rng.standard_normal(y.shape)
    found, expected = ad.grad(y, ours, u), torch.autograd.grad(z, others, torch.tensor(u))
    held("checkpoint, gradients", "torch.utils.checkpoint", [g.data for g in found], list(expected), 1e-12)


def test_a_tensor_that_is_given_and_also_read_counts_twice():
    x = Tensor([2.0, 3.0], requires_grad=True)
    y = x * 1.0
    out = checkpoint(lambda a: a * y * x, y)
    np.testing.assert_allclose(ad.grad(ad.sum(out), x).data, 3 * x.data**2)


def test_higher_orders_and_tangents_go_through():
    rng = np.random.default_rng(1)
    w = Tensor(rng.standard_normal((4, 4)), requires_grad=True)
    x, v = rng.standard_normal((2, 4))

    def plain(y):
        return ad.sum(ad.sin(y @ w) * ad.exp(y))

    def saving(y):
        return checkpoint(plain, y)

    for derivative in (ad.hvp, ad.vhp):
        np.testing.assert_allclose(derivative(saving, x, v).data, derivative(plain, x, v).data, rtol=1e-12)
    np.testing.assert_allclose(ad.jvp(saving, (x,), (v,))[1].data, ad.jvp(plain, (x,), (v,))[1].data, rtol=1e-12)
    assert ad.gradgradcheck(saving, (Tensor(x, requires_grad=True),))


def test_a_generator_of_ones_own_is_replayed_when_it_is_named():
    rng = np.random.default_rng(0)
    x = Tensor(np.ones(50), requires_grad=True)
    drawn = []

    def noisy(y):
        drawn.append(rng.standard_normal(50))
        return y * drawn[-1]

    checkpoint(noisy, x, generators=[rng]).backward(np.ones(50))
    equal([drawn[0], drawn[0]], [drawn[1], x.grad.data])


def test_without_a_record_and_for_other_results_it_is_plain():
    x = Tensor([1.0], requires_grad=True)
    with ad.no_grad():
        assert checkpoint(lambda y: y * 2.0, x).is_leaf
    with pytest.raises(TypeError, match="gives one tensor, and this one gives tuple"):
        checkpoint(lambda y: (y, y), x)
    constant = checkpoint(lambda y: y * 2.0, Tensor([1.0]))
    assert not constant.requires_grad


def test_only_the_ends_of_a_checkpoint_are_kept():
    chain = Chain(0, [8] * 13, drop=0.0)
    whole, ends = chain.plain(chain.x), checkpoint(chain.plain, chain.x)
    row = 5 * 8 * 8
    assert kept_bytes(ends) == row
    assert kept_bytes(whole) == 12 * 2 * row  # x w and tanh of it
    del whole, ends
    gc.collect()
    assert chain.meter.now == 0
    assert chain.meter.peak == 12 * 2 * row


@pytest.mark.parametrize("n", [4, 9, 16, 25])
def test_root_n_segments_keep_what_the_bound_says(n):
    chain = Chain(1, [8] * (n + 1), drop=0.0)
    chain.gradients(chain.plain)
    everything = chain.meter.peak
    chain.gradients(lambda x: checkpoint_sequential(chain.layers, None, x))
    root, row = int(np.sqrt(n)), 5 * 8 * 8
    assert everything == n * 2 * row
    # the outputs of all segments but the last, and one segment of which x w and tanh are kept
    assert chain.meter.peak <= root * row + root * 2 * row
    assert chain.runs == 2 * n - root


def plans(first: int, last: int):
    """Every plan of the layers first to last."""
    rests = list(plans(first + 1, last)) if first < last else [None]
    yield from (Recorded(first, rest) for rest in rests)
    for k in range(first + 1, last + 1):
        yield from (Redone(a, b) for a in plans(first, k - 1) for b in plans(k, last))


def simulated(plan, stages) -> tuple[float, int]:
    """Cost and peak, found by playing the plan: what is kept is a list that grows forward and shrinks backward."""
    held, spent, highest = [], 0.0, 0

    def forward(p) -> list:
        nonlocal spent, highest
        todo = []
        while p is not None:
            if isinstance(p, Recorded):
                spent += stages[p.layer].cost
                held.append(stages[p.layer].kept)
                todo.append(None)
            else:
                spent += sum(stages[i].cost for i in budget.layers(p.inside))
                held.append(stages[budget.layers(p.inside)[-1]].output)
                todo.append(p.inside)
            highest = max(highest, sum(held))
            p = p.rest
        return todo

    def backward(todo: list) -> None:
        for inside in reversed(todo):
            if inside is not None:
                backward(forward(inside))
            held.pop()

    backward(forward(plan))
    return spent, highest


def drawn(rng: np.random.Generator, n: int) -> list[Stage]:
    """Layers of different costs and sizes; a tape keeps at least the output."""
    outputs = rng.integers(1, 6, n)
    return [Stage(float(rng.integers(1, 9)), int(a), int(a + rng.integers(0, 9))) for a in outputs]


@pytest.mark.parametrize("seed", range(20))
def test_the_plan_is_the_best_of_all(held, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    stages = drawn(rng, n)
    everything = [(*simulated(p, stages), p) for p in plans(0, n - 1)]
    for p in everything:
        assert (cost(p[2], stages), peak(p[2], stages)) == p[:2]
    least, most = min(p[1] for p in everything), sum(s.kept for s in stages)
    for bytes_ in range(least, most + 1):
        found = optimal(stages, bytes_)
        best = min(p[0] for p in everything if p[1] <= bytes_)
        assert simulated(found, stages)[1] <= bytes_
        held("checkpoints under a budget, cost", "all plans, played", cost(found, stages), best, 0.0)
    assert cost(optimal(stages, most), stages) == sum(s.cost for s in stages)
    with pytest.raises(BudgetError, match=f"needs about {least}"):
        optimal(stages, least - 1)


def test_a_large_budget_in_slots_stays_within_it():
    rng = np.random.default_rng(3)
    stages = [Stage(s.cost, s.output * 1_000_003, s.kept * 1_000_003) for s in drawn(rng, 14)]
    for part in (0.4, 0.6, 0.9):
        bytes_ = int(part * sum(s.kept for s in stages))
        coarse, fine = optimal(stages, bytes_, slots=60), optimal(stages, bytes_, slots=600)
        assert max(peak(coarse, stages), peak(fine, stages)) <= bytes_
        assert cost(fine, stages) <= cost(coarse, stages)


@pytest.mark.parametrize("seed", range(4))
def test_a_plan_runs_within_its_budget_with_equal_gradients(seed):
    rng = np.random.default_rng(seed)
    chain = Chain(seed, [int(n) for n in rng.integers(2, 30, 9)])
    expected = chain.gradients(chain.plain)
    most = chain.meter.peak
    state = chain.rng.bit_generator.state
    stages = measured(chain.layers, chain.x, costs=[float(w.size) for w in chain.weights])
    assert chain.rng.bit_generator.state == state
    assert sum(s.kept for s in stages) == most
    costs = []
    for part in (0.55, 0.7, 0.85, 1.0):
        plan = optimal(stages, int(part * most), slots=4000)
        equal(chain.gradients(lambda x, plan=plan: run_plan(chain.layers, plan, x)), expected)
        assert chain.meter.peak == peak(plan, stages) <= part * most
        assert chain.meter.now == 0
        costs.append(cost(plan, stages))
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]


def test_chains_that_cannot_be_cut_or_planned_say_so():
    chain = Chain(0, [3, 3, 3])
    for segments in (0, 3):
        with pytest.raises(ValueError, match=f"2 layers cannot be cut into {segments} segments"):
            checkpoint_sequential(chain.layers, segments, chain.x)
    with pytest.raises(ValueError, match="without layers"):
        optimal([], 10)


def test_a_graph_that_was_given_back_says_so_and_one_that_was_kept_can_be_swept_again():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    ad.sum(y).backward()
    ad.sum(y).backward(retain_graph=False)
    np.testing.assert_array_equal(x.grad.data, [4.0, 8.0])
    with pytest.raises(RuntimeError, match="given back by an earlier backward"):
        ad.sum(y).backward()
    with pytest.raises(ValueError, match="leave retain_graph on"):
        ad.sum(x * x).backward(create_graph=True, retain_graph=False)


def test_a_value_that_was_read_twice_is_given_back_before_what_is_older():
    seen = []

    def probe(x: Tensor) -> Tensor:
        seen.extend([later()] if ad.is_recording() else [])
        return x * 1.0

    def run(x: Tensor) -> tuple[Tensor, weakref.ref]:
        y = checkpoint(probe, x) * 2.0
        return ad.sum(y * y + y), weakref.ref(y)

    x = Tensor(np.ones(3), requires_grad=True)
    loss, later = run(x)
    loss.backward(retain_graph=False)
    assert seen == [None]
    np.testing.assert_array_equal(x.grad.data, np.full(3, 10.0))


def test_a_transformer_of_checkpointed_blocks_trains_the_same():
    rng = np.random.default_rng(0)
    model = ad.nn.GPT(11, 7, width=12, heads=3, blocks=3, rng=rng, dropout=0.2)
    characters, targets = rng.integers(0, 11, (2, 3, 7))
    state = rng.bit_generator.state
    found = []
    for saving in (False, True):
        rng.bit_generator.state = state
        model.zero_grad()
        if saving:
            for block in model.blocks:
                block.forward = partial(checkpoint, block.forward)
        loss = model.loss(characters, targets)
        bytes_ = kept_bytes(loss)
        loss.backward()
        found.append([loss.data, *(p.grad.data for p in model.parameters()), np.array(bytes_)])
    equal(found[0][:-1], found[1][:-1])
    assert found[1][-1] < 0.4 * found[0][-1]
