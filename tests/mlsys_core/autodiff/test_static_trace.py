"""What a trace follows, what it refuses, and how a graph reads."""

from __future__ import annotations

import numpy as np
import pytest

from mlsys_core import autodiff as ad
from mlsys_core.autodiff import Tensor, ops, static
from mlsys_core.autodiff.static import Executor, GuardError, TraceError
from mlsys_core.autodiff.tape import mode
from tests.mlsys_core.autodiff.against_torch import Case, tables, tupled

# the trial of dropout makes its generator inside, so that every run of it draws the same; a graph goes on drawing
EVERY_CASE = [case for table in tables().values() for case in table if case.op is not ad.dropout]


@pytest.mark.parametrize("case", EVERY_CASE, ids=str)
def test_every_operation_and_its_gradient_is_traced_to_the_bit(case: Case):
    for seed in (0, 1):
        trial = case.trial(seed)
        rng = np.random.default_rng(seed)
        cotangents = [rng.standard_normal(y.shape) for y in tupled(trial.ours(*map(Tensor, trial.inputs)))]

        def step(*inputs, trial=trial, cotangents=cotangents):
            outputs = tupled(trial.ours(*inputs))
            return *outputs, *ad.grad(outputs, inputs, cotangents)

        xs = [Tensor(x, requires_grad=True) for x in trial.inputs]
        want = step(*xs)
        graph = static.trace(step, *xs)
        clean = static.optimize(graph)
        for execute in (Executor(graph), Executor(clean, static.plan(clean))):
            for got, expected in zip(execute(*xs), want, strict=True):
                np.testing.assert_array_equal(got, expected.data)
        # what was traced is no constant: other numbers of the same signs give what they give eagerly
        others = [Tensor(x * 1.01, requires_grad=True) for x in trial.inputs]
        for got, expected in zip(Executor(graph)(*others), step(*others), strict=True):
            np.testing.assert_array_equal(got, expected.data)


def test_masks_of_kinks_follow_the_inputs():
    def step(x):
        y = ad.sum(ad.relu(x) + ad.abs(x) * 2.0 + ad.max(x, 0) + ad.where(x.data > 0.5, x, 3.0 * x))
        return y, ad.grad(y, x)

    rng = np.random.default_rng(5)
    execute = static.compile(step, Tensor(rng.standard_normal((4, 3)), requires_grad=True))
    for _ in range(5):
        x = Tensor(rng.standard_normal((4, 3)), requires_grad=True)
        for got, want in zip(execute(x), step(x), strict=True):
            np.testing.assert_array_equal(got, want.data)


def test_second_derivatives_are_traced():
    def step(x, v):
        return ad.hvp(lambda y: ad.sum(ad.sin(y) * ad.exp(y) * y), x, v)

    rng = np.random.default_rng(0)
    execute = static.compile(step, rng.standard_normal(5), rng.standard_normal(5))
    x, v = rng.standard_normal((2, 5))
    np.testing.assert_array_equal(execute(x, v)[0], step(Tensor(x), Tensor(v)).data)


def test_another_branch_is_noticed():
    def step(x):
        return x * 2.0 if (x.data > 0).all() else x * 3.0

    execute = static.compile(step, np.ones(3))
    np.testing.assert_array_equal(execute(np.full(3, 5.0))[0], np.full(3, 10.0))
    with pytest.raises(GuardError, match="take the other branch"):
        execute(-np.ones(3))
    with pytest.raises(GuardError, match="take the other branch"):
        static.compile(step, -np.ones(3))(np.ones(3))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda x: x * x.item(), "takes numbers out"),
        (lambda x: x * float(x.data[0]), "takes numbers out"),
        (lambda x: x * np.asarray(x.data), "takes numbers out"),
        (lambda x: x * np.array(x), "takes numbers out"),
        (lambda x: np.add(np.ones(3), x.data, out=np.ones(3)), "no part of the trace"),
        (lambda x: np.add.at(x.data, [0], 1.0), "changes an array in place"),
        (lambda x: np.median(x.data), "np.median is not known"),
        (lambda x: np.zeros(3).__setitem__(slice(None), x.data), "takes numbers out"),
    ],
)
def test_numbers_do_not_become_constants_silently(step, message):
    with pytest.raises(TraceError, match=message):
        static.trace(step, np.ones(3))


def changed(x):
    """Every change in place that a trace follows."""
    y = x.data * 1.0
    y += x.data
    y[1:] -= 0.5
    y[np.array([0, 2])] = y[0]
    y[0] *= 4.0
    np.sqrt(y, out=y)
    return y, y.reshape(3, 1)


def test_changes_in_place_become_values():
    x = np.array([3.0, 5.0, 7.0])
    execute = Executor(static.trace(changed, x))
    x = x + 1
    for got, want in zip(execute(x), changed(Tensor(x)), strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_smaller_type_stays_when_it_is_changed_in_place():
    def step(x):
        y = x.data * np.float32(2)
        y *= np.full(3, 0.1)
        return y

    x = np.ones(3, np.float32)
    (got,) = Executor(static.trace(step, x))(x)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, step(Tensor(x)))


def stale_view(x):
    """Reads a view after its array has changed."""
    y = x.data * 1.0
    view = y[1:]
    y += 1.0
    return view * 2.0


def changed_through_a_view(x):
    """Reads an array after a view of it has changed."""
    y = x.data * 1.0
    view = y.reshape(3, 1)
    view += 1.0
    return y * 2.0


def changed_through_another_view(x):
    """Reads a view after another view of the same array has changed."""
    y = x.data * 1.0
    one, other = y.reshape(3, 1), y[1:]
    one += 1.0
    return other * 2.0


@pytest.mark.parametrize("step", [stale_view, changed_through_a_view, changed_through_another_view])
def test_changes_behind_a_view_are_refused(step):
    with pytest.raises(TraceError, match="copy the view first"):
        static.trace(step, np.ones(3))


def test_tracing_leaves_everything_as_it_was():
    rng = np.random.default_rng(0)
    w = Tensor(np.ones((3, 3)), requires_grad=True)
    data, state = w.data, rng.bit_generator.state
    with pytest.raises(TraceError):
        static.trace(lambda x: ad.dropout(x @ w, 0.5, rng).item(), np.ones((2, 3)), captured=[w])

    def step(x):
        loss = ad.sum(ad.dropout(x @ w, 0.5, rng))
        loss.backward()
        return loss, w.grad

    rng.bit_generator.state = state
    graph = static.trace(step, np.ones((2, 3)), captured=[w])
    assert w.data is data
    assert w.grad is None
    assert mode.tracer is None
    assert rng.bit_generator.state == state
    loss, gradient = Executor(graph)(np.ones((2, 3)), w)
    rng.bit_generator.state = state
    want, expected = step(Tensor(np.ones((2, 3))))
    np.testing.assert_array_equal(loss, want.data)
    np.testing.assert_array_equal(gradient, expected.data)


def test_inputs_of_other_shapes_and_types_are_refused():
    execute = static.compile(lambda x, y: x + y, np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="has 2 inputs, and 1 are given"):
        execute(np.ones(3))
    with pytest.raises(ValueError, match=r"float64 \(4,\) and was float64 \(3,\)"):
        execute(np.ones(4), np.ones(3))
    with pytest.raises(ValueError, match="is int64"):
        execute(np.ones(3), np.ones(3, np.int64))


def test_a_graph_reads_like_a_program():
    graph = static.trace(
        lambda x, y: ops.sum(ops.exp(x[1:] * 2.0) @ y, 0, keepdims=True), np.ones((3, 2)), np.ones((2, 5))
    )
    assert static.text(graph).splitlines() == [
        "%0 = input : float64[3, 2]",
        "%1 = input : float64[2, 5]",
        "%2 = slice(%0, 1:) : float64[2, 2]",
        "%3 = constant 2.0 : float64[]",
        "%4 = multiply(%2, %3) : float64[2, 2]",
        "%5 = exp(%4) : float64[2, 2]",
        "%6 = matmul(%5, %1) : float64[2, 5]",
        "%7 = add.reduce(%6, axis=0, keepdims=True) : float64[1, 5]",
        "return %7",
    ]
    drawing = static.dot(static.optimize(graph)).splitlines()
    assert drawing[0] == "digraph {"
    assert drawing[-1] == "}"
    assert sum("->" in line for line in drawing) == sum(len(n.inputs) for n in static.optimize(graph).nodes)
    assert sum("palegreen" in line for line in drawing) == 1
    assert sum("peripheries=2" in line for line in drawing) == 1
    guarded = static.trace(lambda x: x if x.data.any() else x + 1.0, np.ones(2))
    assert static.text(guarded).splitlines()[-2:] == ["return %0", "guard %1 is True"]
