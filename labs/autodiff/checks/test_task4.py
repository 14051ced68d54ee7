"""Task 4, public checks: each pass on a random graph without effects, and a prediction."""

from __future__ import annotations

import passes
import pytest
from answers import number

pytestmark = pytest.mark.task("4")


def rewritten(student, graph, *names):
    """The graph after these passes."""
    return student.call("rewritten", graphs=[graph], passes=list(names))[0]


@pytest.mark.points(1)
@pytest.mark.hint(
    "Walk backwards: a node is needed when an output is it, or when a needed node reads it. Inputs and effects are needed from the start.",
    handout="1.15",
)
def test_dead_code_goes(student, rng, expect):
    """eliminate_dead_code: what nobody needs goes, and nothing else"""
    graph = passes.random_graph(rng)
    got = rewritten(student, graph, "eliminate_dead_code")
    passes.check_same(expect, passes.sampled(rng, graph), graph, got, "after eliminate_dead_code")
    expect.equal(len(got["nodes"]), len(passes.needed(graph)), what="nodes that are left")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Keep a dict from (operation, inputs as they are now, setting) to the first node that had it; sort the inputs of add and mul.",
    handout="1.15",
)
def test_common_subexpressions_merge(student, rng, expect):
    """eliminate_common_subexpressions: nothing is computed twice"""
    graph = passes.random_graph(rng)
    got = rewritten(student, graph, "eliminate_common_subexpressions")
    passes.check_same(expect, passes.sampled(rng, graph), graph, got, "after eliminate_common_subexpressions")
    expect.equal(len(got["nodes"]), passes.distinct_values(graph), what="nodes that are left")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Go through the nodes in order and remember which are constants by now: a node that reads only those becomes one of them.",
    handout="1.15",
)
def test_constants_fold(student, rng, expect):
    """fold_constants: what is known beforehand is computed beforehand"""
    graph = passes.random_graph(rng)
    got = rewritten(student, graph, "fold_constants")
    passes.check_same(expect, passes.sampled(rng, graph), graph, got, "after fold_constants")
    left = sum(node[0] != "constant" for node in got["nodes"])
    expect.equal(left, passes.unknown_values(graph), what="nodes that are no constants")


@pytest.mark.points(1)
@pytest.mark.hint(
    "Backwards: a node joins its users' kernel when they are all in one; else it ends a kernel of its own.",
    handout="1.16",
)
def test_elementwise_nodes_fuse(student, rng, expect):
    """fuse_elementwise: tanh(a ⊙ b + a), and a value that two kernels need"""
    graph = {
        "nodes": [
            *(["input", [], i] for i in range(3)),
            ["mul", [0, 1], None],
            ["add", [3, 0], None],
            ["tanh", [4], None],
            ["sum", [5], 1],
            ["exp", [5], None],
            ["sub", [7, 2], None],
        ],
        "outputs": [6, 8],
    }
    got = rewritten(student, graph, "fuse_elementwise")
    passes.check_same(expect, passes.sampled(rng, graph), graph, got, "after fuse_elementwise")
    ops = [node[0] for node in got["nodes"] if node[0] != "input"]
    expect.equal(ops, ["fused", "sum", "fused"], what="operations after fusion")


@pytest.mark.points(1)
@pytest.mark.measured
@pytest.mark.hint(
    "In a layer, what is not elementwise stays a kernel, and all that is becomes one. Then look at the last layer and the loss.",
    handout="1.17",
)
def test_prediction_of_kernels(student, rng, expect, measure):
    """Kernels of a network, as predicted and as counted"""
    layers = int(rng.integers(3, 9))
    said = student.call("predicted", function="predict_kernels", arguments={"layers": layers})
    predicted = number(expect, said, "the prediction")
    graph = passes.residual_network(rng, layers)
    order = ["fold_constants", "eliminate_common_subexpressions", "eliminate_dead_code", "fuse_elementwise"]
    got = rewritten(student, graph, *order)
    passes.check_form(expect, got, graph)
    arrays = passes.network_inputs(rng, layers)
    expect.close(
        passes.run(got, arrays, 0)[0], passes.run(graph, arrays, 0)[0], what="the network's loss after all passes"
    )
    counted = passes.kernels(got)
    measure.prediction(f"the kernels of {layers} layers", predicted, counted, tolerance=0.01, zero_at=1.5)
