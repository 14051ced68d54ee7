"""Task 2, hidden checks: rewired, deep and many-pathed graphs, ownership of arrays, and the cost of a sweep."""

from __future__ import annotations

import graphs
import numpy as np
import pytest
from answers import all_close, check_order, field, listed
from oracles import complex_step_jvp, complex_step_vjp, last_value, path_sums

pytestmark = [pytest.mark.task("2"), pytest.mark.hidden]

DEPTH = 10_000


def sweep_of(steps, leaves, cotangent=None):
    """One sweep from the last value."""
    return {"root": len(leaves) + len(steps) - 1, "cotangent": cotangent}


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Go by .inputs, not by the time at which nodes were made: graphs get rewired. Constants end the walk.",
    handout="1.9",
)
def test_order_of_rewired_graphs(student, rng, expect):
    """topological_order: nodes made in shuffled order, some of them constants"""
    for _ in range(5):
        steps = graphs.shared(graphs.graph(rng, leaves=4, length=15), leaves=4)
        trainable = [True, bool(rng.integers(2)), False, bool(rng.integers(2))]
        creation = [int(i) for i in rng.permutation(4 + len(steps))]
        leaves = graphs.arrays(rng, 4, (2,))
        got = student.call("listed_order", steps=steps, leaves=leaves, trainable=trainable, creation=creation)
        check_order(expect, got, steps, trainable)


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "Keep the nodes that wait in a list of your own: Python's call stack ends at 1,000 calls.", handout="1.9"
)
def test_a_deep_chain(student, rng, expect):
    """A chain of 10,000 operations"""
    steps, x = graphs.chain(rng, DEPTH), rng.normal(size=2)
    order = student.call("listed_order", steps=steps, leaves=[x], trainable=[True])
    check_order(expect, order, steps, [True])
    cotangent = rng.normal(size=2)
    got = student.call("swept", steps=steps, leaves=[x], trainable=[True], sweeps=[sweep_of(steps, [x], cotangent)])
    want = complex_step_vjp(last_value(steps), [x], cotangent)
    all_close(expect, listed(expect, got, "gradients", 1)[0], want, ["gradient of x"])


@pytest.mark.points(1.5)
@pytest.mark.hint(
    "The gradient is the sum over all paths; in reverse topological order each node has its whole cotangent when its turn comes.",
    handout="1.10",
)
def test_gradients_are_sums_over_paths(student, rng, expect):
    """backward: rewired random graphs against the sum over all paths"""
    for _ in range(4):
        leaves, steps = graphs.arrays(rng, 3, (2, 3)), graphs.graph(rng, leaves=3, length=9)
        cotangent = rng.normal(size=(2, 3))
        creation = [int(i) for i in rng.permutation(3 + len(steps))]
        call = {"steps": steps, "leaves": leaves, "trainable": [True, False, True], "creation": creation}
        got = student.call("swept", **call, sweeps=[sweep_of(steps, leaves, cotangent)])
        want = path_sums(steps, leaves, cotangent)
        want[1] = None
        all_close(expect, listed(expect, got, "gradients", 1)[0], want, [f"gradient of leaf {i}" for i in range(3)])


@pytest.mark.points(1)
@pytest.mark.limits(wall_s=5)
@pytest.mark.hint(
    "Handle each node once, with its summed cotangent; walking each path separately takes 2⁶⁰ steps here.",
    handout="1.9",
)
def test_many_paths_few_nodes(student, rng, expect):
    """backward: 60 nodes with 2⁶⁰ paths"""
    steps, x, cotangent = graphs.ladder(60), rng.normal(size=3), rng.normal(size=3)
    got = student.call("swept", steps=steps, leaves=[x], trainable=[True], sweeps=[sweep_of(steps, [x], cotangent)])
    all_close(expect, listed(expect, got, "gradients", 1)[0], [cotangent * 2.0**60], ["gradient of x"], rtol=1e-12)


@pytest.mark.points(1)
@pytest.mark.hint(
    "`add` hands the same cotangent to both inputs: store a copy in .grad, and never use += on an array that others hold.",
    handout="1.10",
)
def test_gradients_own_their_arrays(student, rng, expect):
    """backward: leaves share no array, and the caller's stay as they were"""
    a, b, first, second = graphs.arrays(rng, 4, (3,))
    steps = [["add", 0, 1], ["neg", 0]]
    sweeps = [{"root": 2, "cotangent": first}, {"root": 3, "cotangent": second}]
    got = student.call("swept", steps=steps, leaves=[a, b], trainable=[True, True], sweeps=sweeps)
    gradients = listed(expect, got, "gradients", 2)
    names = ["gradient of a", "gradient of b, which the second call does not reach"]
    all_close(expect, gradients[-1], [first - second, first], names)
    all_close(
        expect, field(expect, got, "cotangents"), [first, second], ["the caller's cotangent"] * 2, rtol=0.0, atol=0.0
    )
    expect.that(field(expect, got, "values_kept") is True, "the sweep changed the value of a node")
    expect.that(
        field(expect, got, "inner_gradients") == 0,
        "a node in the middle of the graph has a .grad; only leaves keep one",
    )


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "A root may be a leaf itself (its gradient is the cotangent), or a constant (nothing happens).", handout="1.10"
)
def test_roots_without_history(student, rng, expect):
    """backward: from a leaf, from a constant, and from a 0-d value"""
    x, cotangent = graphs.arrays(rng, 2, (2, 2))
    for leaf, given in ((x, cotangent), (np.asarray(rng.normal()), None), (np.zeros((0, 3)), None)):
        call = {"steps": [], "leaves": [leaf], "sweeps": [{"root": 0, "cotangent": given}]}
        want = np.ones(leaf.shape) if given is None else given
        got = student.call("swept", **call, trainable=[True])
        all_close(expect, listed(expect, got, "gradients", 1)[0], [want], ["gradient of a leaf that is the root"])
        got = student.call("swept", **call, trainable=[False])
        all_close(expect, listed(expect, got, "gradients", 1)[0], [None], ["gradient of a constant that is the root"])


@pytest.mark.points(0.5)
@pytest.mark.hint(
    "Run the whole sweep inside `with no_grad():`, or every backward keeps a second graph in memory.", handout="1.10"
)
def test_the_sweep_is_not_recorded(student, rng, expect):
    """backward: the sweep builds no graph of its own"""
    steps = [["mul", 0, 1], ["exp", 2], ["mul", 3, 0], ["sin", 4]]
    got = student.call("counted_sweep", steps=steps, leaves=graphs.arrays(rng, 2, (3,)), trainable=[True, True])
    recorded = field(expect, got, "recorded")
    expect.equal(recorded, 0, what="results of rules that were recorded during the sweep")


@pytest.mark.points(2.5)
@pytest.mark.measured
@pytest.mark.hint(
    "Call each rule once, keep cotangents in a dict by id(), and add only where two meet; avoid searching through lists.",
    handout="1.10",
)
def test_time_of_a_large_sweep(student, reference, rng, expect, measure):
    """Time of a sweep over 5,000 nodes, each visited once"""
    rounds, count, zero_at = 7, 20, 6.0
    steps = graphs.wide(rng, leaves=count, chains=200, length=24)
    sets = [graphs.arrays(rng, count, (4,)) for _ in range(rounds + 3)]
    check_visits(student, rng, expect, steps, sets[0])
    for program in (student, reference):
        program.call("prepare_sweeps", steps=steps, leaves=sets)
    ours, theirs = [], []

    def run(program, results):
        results.append(program.call("timed_sweep", graph=len(results)))

    # one pair first: far beyond the curve's end nothing is gained by waiting for seven more
    pair = (lambda: run(student, ours)), (lambda: run(reference, theirs))
    timed = measure.interleaved(*pair, rounds=1, of=(student, reference))
    if timed.ratio < 2 * zero_at:
        timed = measure.interleaved(*pair, rounds=rounds, of=(student, reference))
    for got, want in zip(ours, theirs, strict=True):
        all_close(expect, got, want, [f"gradient of leaf {i} in a timed sweep" for i in range(count)])
    measure.ratio(
        "time of a 5,000-node sweep, against the instructor's",
        timed.ratio,
        full_at=1.5,
        zero_at=zero_at,
        low=timed.low,
        high=timed.high,
        samples=timed.samples,
    )


def check_visits(student, rng, expect, steps, leaves):
    """Each operation's rule is called once, and the gradients agree with a directional derivative."""
    got = student.call("counted_sweep", steps=steps, leaves=leaves, trainable=[True] * len(leaves))
    visits = listed(expect, got, "visits", len(leaves) + len(steps))
    expect.that(all(type(n) is int for n in visits), "the visits could not be counted")
    most = max(visits)
    expect.that(most <= 1, f"the rule of one node was called {most} times in one sweep")
    expect.equal(sum(visits), len(steps), what="calls of rules in one sweep")
    gradients = listed(expect, got, "gradients", len(leaves))
    formed = all(isinstance(g, np.ndarray) and g.shape == (4,) for g in gradients)
    expect.that(formed, "a leaf received no gradient, or one of another shape")
    directions = graphs.arrays(rng, len(leaves), (4,))
    slope = np.sum(complex_step_jvp(last_value(steps), leaves, directions))
    total = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    expect.close(total, float(slope), what="the sum of the gradients along a random direction")
