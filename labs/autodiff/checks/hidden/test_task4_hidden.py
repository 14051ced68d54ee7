"""Task 4, hidden checks: meaning on many graphs, effects, exact counts, and the number of kernels."""

from __future__ import annotations

import numpy as np
import passes
import pytest

pytestmark = [pytest.mark.task("4"), pytest.mark.hidden]

NAMES = ("eliminate_dead_code", "eliminate_common_subexpressions", "fold_constants", "fuse_elementwise")
ALL = ["fold_constants", "eliminate_common_subexpressions", "eliminate_dead_code", "fuse_elementwise"]
MOST, GRAPHS = 60, 200  # graphs in one call, graphs in all


def rewritten(student, expect, graphs, names):
    """Each graph after these passes."""
    got = student.call("rewritten", graphs=graphs, passes=list(names))
    expect.that(isinstance(got, list) and len(got) == len(graphs), "the passes returned no list of graphs")
    return got


@pytest.mark.points(2.5)
@pytest.mark.hint(
    "Run your passes on a graph before and after, with random arrays: the outputs must not differ, whatever the order of passes.",
    handout="1.15",
)
def test_meaning_is_kept(student, rng, expect):
    """200 random graphs mean the same after each pass, and after all"""
    effects = [(), ("random",)]
    graphs = [passes.random_graph(rng, length=14, effects=effects[i % 2]) for i in range(GRAPHS)]
    check_all(student, rng, expect, graphs, [*([one] for one in NAMES), ALL])


def check_all(student, rng, expect, graphs, orders):
    """Every graph means the same after every order of passes."""
    samples = [passes.sampled(rng, graph) for graph in graphs]
    for names in orders:
        for start in range(0, len(graphs), MOST):
            some = slice(start, start + MOST)
            got = rewritten(student, expect, graphs[some], names)
            for sample, graph, one in zip(samples[some], graphs[some], got, strict=True):
                passes.check_same(expect, sample, graph, one, f"after {', '.join(names)}")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "A node that reads or holds a written array sees different numbers at different times: leave it alone, in every pass.",
    handout="1.14",
)
def test_written_arrays(student, rng, expect):
    """In-place operations: no array is shared that was not, and no read moves over a write"""
    twins = {
        "nodes": [
            *(["input", [], i] for i in range(3)),
            ["exp", [0], None],
            ["exp", [0], None],
            ["add_", [3, 1], None],
            ["constant", [], np.full(passes.SHAPE, 2.0)],
            ["constant", [], np.full(passes.SHAPE, 2.0)],
            ["add_", [6, 2], None],
            ["mul", [6, 7], None],
            ["sin", [1], None],
            ["add_", [1, 0], None],
            ["sin", [1], None],
            ["sub", [10, 12], None],
        ],
        "outputs": [3, 4, 9, 13],
    }
    graphs = [twins] + [passes.random_graph(rng, length=14, effects=("add_", "random")) for _ in range(24)]
    check_all(student, rng, expect, graphs, [*([one] for one in NAMES), ALL])


@pytest.mark.points(1)
@pytest.mark.hint(
    "Two draws from a generator are two different values, and one that nobody reads still moves the generator on.",
    handout="1.14",
)
def test_random_nodes(student, rng, expect):
    """Random nodes are neither merged nor dropped"""
    shape = list(passes.SHAPE)
    graph = {
        "nodes": [
            *(["input", [], i] for i in range(3)),
            ["random", [], shape],
            ["random", [], shape],
            ["random", [], shape],
            ["mul", [3, 0], None],
            ["mul", [5, 0], None],
            ["sub", [6, 7], None],
        ],
        "outputs": [8],
    }
    check_all(student, rng, expect, [graph], [*([one] for one in NAMES), ALL])


@pytest.mark.points(1)
@pytest.mark.hint(
    "What a pass has done it finds done: run it on its own result. And build new nodes instead of changing those that you were given.",
    handout="1.15",
)
def test_passes_are_idempotent(student, rng, expect):
    """A pass changes nothing the second time, and never the graph that it was given"""
    graphs = [passes.random_graph(rng, effects=("random", "add_")[: int(rng.integers(3))]) for _ in range(20)]
    for name in [[one] for one in NAMES]:
        once, twice = (rewritten(student, expect, graphs, name * times) for times in (1, 2))
        for first, second in zip(once, twice, strict=True):
            expect.that(second["kept"] is True, f"{name[0]} changed the graph that it was given")
            same = [node[:2] for node in first["nodes"]] == [node[:2] for node in second["nodes"]]
            expect.that(same, f"{name[0]} changed its own result when it ran again")


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "b + a is a + b, and 0.0 is not -0.0; twins of twins merge; what reads folded nodes folds too; what only dead nodes need is dead.",
    handout="1.15",
)
def test_counts_are_the_least(student, rng, expect):
    """Nodes left by dead code, merging and folding: as few as there can be"""
    graphs = [passes.random_graph(rng, length=24, effects=("random",)) for _ in range(12)] + [
        signed_zeros(),
        turned_round(),
    ]
    counts = {
        "eliminate_dead_code": (lambda got: len(got["nodes"]), lambda graph: len(passes.needed(graph))),
        "eliminate_common_subexpressions": (lambda got: len(got["nodes"]), passes.distinct_values),
        "fold_constants": (lambda got: sum(node[0] != "constant" for node in got["nodes"]), passes.unknown_values),
    }
    for name, (counted, least) in counts.items():
        for graph, got in zip(graphs, rewritten(student, expect, graphs, [name]), strict=True):
            passes.check_same(expect, passes.sampled(rng, graph), graph, got, f"after {name}")
            expect.equal(counted(got), least(graph), what=f"nodes after {name}")


def signed_zeros():
    """x / 0.0 and x / -0.0, and each of them twice."""
    zeros = [np.full(passes.SHAPE, zero) for zero in (0.0, -0.0, 0.0, -0.0)]
    constants = [["constant", [], zero] for zero in zeros]
    quotients = [["div", [0, 3 + i], None] for i in range(4)]
    nodes = [*(["input", [], i] for i in range(3)), *constants, *quotients]
    return {"nodes": nodes, "outputs": [7, 8, 9, 10]}


def turned_round():
    """Sums, products and differences of the same two inputs in both orders."""
    pairs = [[op, order, None] for op in ("add", "mul", "sub") for order in ([0, 1], [1, 0])]
    return {"nodes": [*(["input", [], i] for i in range(3)), *pairs], "outputs": list(range(3, 9))}


@pytest.mark.points(2.5)
@pytest.mark.measured
@pytest.mark.hint(
    "Decide from the last node to the first: when a node's turn comes, all of its users are already in their kernels.",
    handout="1.16",
)
def test_number_of_kernels(student, rng, expect, measure):
    """Kernels after fusion, against the least that there can be"""
    drawn = (passes.random_graph(rng, length=40, effects=("random",)) for _ in range(12))
    graphs = [passes.without_dead_code(graph) for graph in drawn]
    got = rewritten(student, expect, graphs, ["fuse_elementwise"])
    for graph, one in zip(graphs, got, strict=True):
        passes.check_same(expect, passes.sampled(rng, graph), graph, one, "after fuse_elementwise")
    found = sum(map(passes.kernels, got))
    least, unfused = (sum(map(count, graphs)) for count in (passes.least_kernels, passes.kernels))
    computed = sum(len(node[2]) if node[0] == "fused" else 1 for one in got for node in one["nodes"] if runs(node))
    expect.that(computed <= unfused, "a node is computed in more than one kernel")
    expect.that(
        found >= least,
        "there are fewer kernels than fusion alone can leave: merging and dropping are other passes' business",
    )
    measure.ratio("kernels / least number of kernels", found / least, full_at=1.0, zero_at=unfused / least)


def runs(node):
    """Whether a node is a kernel."""
    return node[0] not in {"input", "constant"}
