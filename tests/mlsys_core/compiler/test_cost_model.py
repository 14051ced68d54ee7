"""Counts are what a simulated cache and closed forms say; the regression is scikit-learn's; the rank correlation scipy's."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from mlsys_core.compiler.c_text import SIZE
from mlsys_core.compiler.cost_model import CostModel, spearman
from mlsys_core.compiler.expressions import Load, loads
from mlsys_core.compiler.features import Cache, Features, Machine, features, prior_cycles, traffic_of
from mlsys_core.compiler.interpreter import _value
from mlsys_core.compiler.ir import For, Program, Store
from mlsys_core.compiler.schedule import Schedule
from tests.mlsys_core.compiler.draws import product

LINE = 64


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=30))
def test_rank_correlation_is_scipys(pairs):
    a, b = zip(*pairs, strict=True)
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    else:
        assert spearman(a, b) == 0


def lines_of(program: Program) -> list[tuple[str, int]]:
    """The lines that a nest touches, one access after the other."""
    touched = []

    def touch(tensor, index, env) -> None:
        flat = int(np.ravel_multi_index([_value(i, env, {}) for i in index], tensor.shape))
        touched.append((tensor.name, flat * SIZE[tensor.dtype] // LINE))

    def execute(s, env) -> None:
        if isinstance(s, Store):
            for load in [*loads(s.value), Load(s.tensor, s.index)]:
                touch(load.tensor, load.index, env)
            return
        for i in range(s.extent):
            for inner in s.body:
                execute(inner, {**env, s.var: i})

    for s in program.body:
        execute(s, {})
    return touched


def simulated_bytes(lines: list[tuple[str, int]], capacity: int) -> int:
    """Bytes that a fully associative cache of whole lines, the least recently used of which leaves, takes from behind it."""
    cache, misses = OrderedDict(), 0
    for line in lines:
        misses += line not in cache
        cache[line] = None
        cache.move_to_end(line)
        if len(cache) * LINE > capacity:
            cache.popitem(last=False)
    return misses * LINE


def blocked(n: int, block: int) -> Program:
    schedule = Schedule(product(n, n, n, "float32"))
    c = schedule["C"]
    for loop in "ijk":
        c.split(loop, block)
    c.reorder("i.0", "j.0", "k.0", "i.1", "j.1", "k.1")
    return schedule.lower()


def estimated(program: Program, size: int) -> float:
    """With one set: what is counted is size, and not where rows fall."""
    return sum(traffic_of(s, Cache(size, size // LINE, 1.0)) for s in program.body)


def test_bytes_from_behind_a_cache_are_near_a_simulated_ones():
    """Within a factor of 1.6, but for a cache that one iteration just fills, where the next one already throws lines out."""
    programs = {block: blocked(20, block) for block in (4, 8, 20)}
    lines = {block: lines_of(program) for block, program in programs.items()}
    for size in (1 << 10, 4 << 10, 64 << 10):
        found = {block: estimated(program, size) for block, program in programs.items()}
        simulated = {block: simulated_bytes(lines[block], size) for block in programs}
        assert all(1 / 1.6 <= found[block] / simulated[block] <= 1.6 for block in programs), (size, found, simulated)
        if size == 1 << 10:
            assert sorted(found, key=found.get) == sorted(simulated, key=simulated.get) == [8, 4, 20]


def test_rows_a_power_of_two_apart_fill_a_cache_early():
    """Sixteen columns of 512 rows of 2 KB take 32 KB, but stand in two of a cache's sixty-four sets."""
    schedule = Schedule(product(16, 512, 512, "float32"))
    c = schedule["C"]
    c.split("j", 16)
    c.reorder("j.0", "i", "k", "j.1")
    (apart,) = schedule.lower().body
    c.pack("B", "i")
    (packed,) = schedule.lower().body
    small = Cache(64 << 10, 8, 1.0)
    assert traffic_of(apart, small) > 2 * traffic_of(packed, small)


def micro(rows: int, columns: int) -> Features:
    """The counts of a product whose sums are held in `rows` by `columns` places; 64-byte vectors."""
    schedule = Schedule(product(48, 100, 96, "float32"))
    c = schedule["C"]
    c.split("i", rows), c.split("j", columns)
    c.reorder("i.0", "j.0", "k", "i.1", "j.1")
    c.unroll("i.1"), c.vectorize("j.1"), c.hold("k")
    return features(schedule.lower(), Machine())


@pytest.mark.parametrize(("rows", "columns"), [(1, 16), (4, 32), (8, 48), (12, 16)])
def test_instructions_of_a_held_block_by_hand(rows, columns):
    blocks, vectors = (48 // rows) * (96 // columns), columns // 16
    found = micro(rows, columns)
    # a start, the terms, and the way back for each vector; a product and its sum are one instruction
    assert found.arithmetic == blocks * rows * vectors * (1 + 100 + 1)
    assert found.latency == blocks * 100 * Machine().latency
    # each term loads a column of A once and a row of B once; starts and ends store
    assert found.loads == blocks * (100 * (rows + vectors) + 2 * rows * vectors)
    assert found.iterations == 48 // rows + blocks + blocks * 100
    assert (found.spilled > 0) == (rows * vectors + 3 > Machine().registers)


def test_the_estimate_prefers_a_block_of_registers():
    prior = {shape: prior_cycles(micro(*shape), Machine()) for shape in ((1, 16), (4, 32), (8, 48))}
    assert prior[8, 48] < prior[4, 32] < prior[1, 16]


def drawn_features(count: int) -> list[Features]:
    rng = np.random.default_rng(3)
    return [Features(*np.exp(rng.uniform(8, 18, 5)), tuple(np.exp(rng.uniform(8, 18, 3)))) for _ in range(count)]


def test_the_regression_is_scikit_learns(held):
    found, model = drawn_features(40), CostModel(strength=2.5)
    seconds = np.exp(np.random.default_rng(4).normal(size=40))
    assert model.predict(found[0]) == model.prior(found[0])
    model.fit(found, seconds)
    x = np.array([f.vector() for f in found])
    x = (x - x.mean(0)) / x.std(0)
    target = np.log(seconds) - np.log([model.prior(f) for f in found])
    theirs = np.log([model.prior(f) for f in found]) + Ridge(alpha=2.5).fit(x, target).predict(x)
    held("ridge regression", "scikit-learn", np.log([model.predict(f) for f in found]), theirs, 1e-9)


def test_what_never_varied_does_not_decide():
    """All trials with the same counts, then a nest with others: the prediction is the estimate, scaled."""
    (one, other), model = drawn_features(2), CostModel()
    model.fit([one] * 4, [2 * model.prior(one)] * 4)
    assert model.predict(other) == pytest.approx(2 * model.prior(other))


def test_a_fit_learns_what_the_estimate_has_wrong():
    """A machine on which iterations cost a hundred times as much: new nests are ranked as it would."""
    found, model = drawn_features(120), CostModel(strength=1.0)
    truth = [prior_cycles(f, Machine()) + 100 * f.iterations for f in found]
    before = spearman([model.predict(f) for f in found[80:]], truth[80:])
    model.fit(found[:80], truth[:80])
    assert spearman([model.predict(f) for f in found[80:]], truth[80:]) > max(before, 0.8)


def test_every_loop_kind_is_counted():
    assert all(isinstance(s, For) for s in blocked(8, 4).body)
    assert features(blocked(8, 4), Machine()).arithmetic > 8**3
