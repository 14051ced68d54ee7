"""Passes keep a graph's numbers to the bit, are idempotent, and leave as many nodes as an independent count finds."""

from __future__ import annotations

import functools
import operator
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import given
from torch._functorch.compile_utils import fx_graph_cse

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, static
from mlsys_core.autodiff.static import Executor, Graph, Ref, passes
from mlsys_core.autodiff.static.ir import refs
from mlsys_core.autodiff.static.passes import CLEANING, EVERY
from tests.mlsys_core.autodiff.static_graphs import PROGRAMS, Traced, few


def needed(graph: Graph) -> set[int]:
    """What a run must compute, found by walking from what is wanted."""
    found: set[int] = set()
    todo = [*graph.roots, *(i for i, n in enumerate(graph.nodes) if n.op.kind == "random")]
    while todo:
        i = todo.pop()
        if i not in found:
            found.add(i)
            todo += graph.nodes[i].inputs
    return {i for i in found if graph.nodes[i].op.kind not in {"input", "constant"}}


def digests(graph: Graph) -> list[str]:
    """For each node a digest of the tree of expressions behind it; a draw and an input are like nothing else."""
    found: list[str] = []
    for i, node in enumerate(graph.nodes):

        def shown(x: object) -> str:
            if isinstance(x, Ref):
                return found[x.index]
            if isinstance(x, tuple | list):
                return f"{type(x).__name__}[{','.join(map(shown, x))}]"
            return f"{type(x).__name__}:{x!r}" if not isinstance(x, slice) else shown((x.start, x.stop, x.step))

        args = [shown(x) for x in node.args]
        if node.op.name in {"add", "multiply"}:
            args.sort()
        value = "" if node.value is None else node.value.tobytes().hex()
        own = i if node.op.kind in {"input", "random"} else ""
        text = f"{node.op.name}|{args}|{shown(node.options)}|{node.shape}|{node.dtype}|{node.order}|{value}|{own}"
        found.append(sha256(text.encode()).hexdigest())
    return found


def kernels(graph: Graph) -> int:
    """How many operations are left when elementwise ones are joined pairwise until no two can be."""
    users, group = graph.users(), list(range(len(graph.nodes)))

    def single(i: int) -> bool:
        return (
            graph.nodes[i].op.kind == "elementwise"
            and graph.nodes[i].shape != ()
            and not any(refs(graph.nodes[i].options))
        )

    changed = True
    while changed:
        changed = False
        for i, node in enumerate(graph.nodes):
            readers = {group[j] for j in users[i]}
            if not single(i) or i in graph.roots or len(readers) != 1:
                continue
            (to,) = readers
            if group[i] != to and single(to) and graph.nodes[to].shape == node.shape:
                group = [to if g == group[i] else g for g in group]
                changed = True
    return len({g for g, n in zip(group, graph.nodes, strict=True) if n.op.kind not in {"input", "constant"}})


@few
@given(**PROGRAMS)
def test_a_trace_gives_the_programs_numbers_to_the_bit(shapes, steps, seed):
    traced = Traced(shapes, steps, seed)
    traced.holds(traced.graph)


@pytest.mark.parametrize("step", EVERY, ids=lambda p: p.__name__)
@few
@given(**PROGRAMS)
def test_a_pass_alone_keeps_the_numbers_and_changes_nothing_twice(step, shapes, steps, seed):
    traced = Traced(shapes, steps, seed)
    once = step(traced.graph)
    traced.holds(once)
    assert static.text(step(once)) == static.text(once)


@few
@given(**PROGRAMS)
def test_all_passes_together_leave_as_many_nodes_as_counted_otherwise(shapes, steps, seed):
    traced = Traced(shapes, steps, seed)
    graph = traced.graph
    assert passes.eliminate_dead(graph).count() == len(needed(graph))
    merged = passes.merge_common(graph)
    trees = {d for d, n in zip(digests(graph), graph.nodes, strict=True) if n.op.kind not in {"input", "constant"}}
    assert merged.count() == len(trees)
    clean = static.optimize(graph, CLEANING)
    fused = passes.fuse_elementwise(clean)
    assert fused.count() == kernels(clean)
    traced.holds(fused)
    again = static.optimize(fused)
    assert static.text(again) == static.text(fused)


@pytest.mark.parametrize("seed", range(6))
def test_merging_finds_what_torch_finds(seed):
    """Of operations in which the order of operands counts, torch.fx's own elimination leaves as many."""
    rng = np.random.default_rng(seed)
    layers = [[(rng.choice(["sub", "truediv", "neg"]), *rng.integers(0, 4, 2)) for _ in range(25)] for _ in range(3)]

    def run(x, y):
        values = [x, y, x - y, y - x]
        total = x
        for steps in layers:
            made = []
            for name, i, j in steps:
                f = getattr(operator, name)
                made.append(f(values[i]) if name == "neg" else f(values[i], values[j]))
            total = functools.reduce(operator.sub, made, total)
            values = made[:4]
        return total

    theirs = fx_graph_cse(torch.fx.symbolic_trace(run).graph)
    theirs.eliminate_dead_code()
    graph = static.trace(run, np.ones(3), np.full(3, 2.0))
    ours = static.optimize(graph, (passes.eliminate_dead, passes.merge_common))
    assert ours.count() == sum(n.op == "call_function" for n in theirs.nodes)
    assert ours.count() < graph.count() - 10


def test_draws_are_neither_merged_nor_folded_nor_dropped():
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    x = np.ones((40, 5))

    def run(x):
        ad.dropout(x, 0.5, rng)  # nobody reads it, but it moves the generator
        return ad.dropout(x, 0.5, rng) - ad.dropout(x, 0.5, rng), ad.dropout(np.ones(9), 0.5, rng)

    graph = static.optimize(static.trace(run, x))
    assert graph.count("uniform") == 4
    execute = Executor(graph)
    for _ in range(3):
        ad.dropout(x, 0.5, other)
        want = ad.dropout(x, 0.5, other) - ad.dropout(x, 0.5, other), ad.dropout(np.ones(9), 0.5, other)
        for got, expected in zip(execute(x), want, strict=True):
            np.testing.assert_array_equal(got, expected.data)


def test_frozen_weights_are_folded_into_what_is_done_to_them_alone():
    rng = np.random.default_rng(0)
    x, w, scale = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)), rng.standard_normal((5, 1))
    graph = static.trace(lambda x, w, s: ad.linear(x, w * s + 1.0), x, w, scale)
    frozen = static.optimize(static.freeze(graph, {1: w, 2: scale}))
    assert (graph.count(), frozen.count()) == (4, 1)
    np.testing.assert_array_equal(Executor(frozen)(x)[0], Executor(graph)(x, w, scale)[0])
    with pytest.raises(ValueError, match="Input 1 is float64"):
        static.freeze(graph, {1: x})


@pytest.mark.parametrize("pair", [(1, 1.0), (0.0, -0.0), (1, True)], ids=str)
def test_numbers_that_only_look_equal_are_not_merged(pair):
    graph = static.trace(lambda x: (np.add(x.data, pair[0]), np.add(x.data, pair[1])), np.ones(2, np.float32))
    assert passes.merge_common(graph).count() == 2


def test_a_value_that_is_read_outside_is_not_swallowed_by_a_kernel():
    def run(x):
        y = ad.exp(x) * 2.0
        z = y + x
        return z * z, y @ np.ones((3, 1))

    graph = static.optimize(static.trace(run, np.ones((2, 3))))
    assert [n.op.name for n in graph.nodes if n.op.kind == "fused"] == ["exp+multiply", "add+multiply"]


def test_a_chain_is_one_kernel_and_shapes_that_differ_are_not_mixed():
    def run(x, row):
        y = x
        for _ in range(20):
            y = ad.maximum(y * row, 0.1) - x
        return ad.sum((row * 2.0 + 1.0) * y)

    graph = static.optimize(static.trace(run, np.ones((4, 3)), np.ones(3)))
    assert graph.count() == 3


def test_the_manager_tells_what_each_pass_did():
    manager = static.PassManager()
    graph = static.trace(lambda x: ad.exp(x + 1.0) * ad.exp(1.0 + x) - ad.sum(x) * 0.0, Tensor([1.0, 2.0]))
    manager.run(graph)
    told = [(r.name, r.before, r.after) for r in manager.reports]
    assert told == [
        ("eliminate_dead", 8, 8),
        ("fold_constants", 8, 8),
        ("merge_common", 8, 6),
        ("fuse_elementwise", 6, 3),
    ]
