"""Producers and consumers: inlined, fused as an epilogue, computed at a loop. Results stay, buffers shrink."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.interpreter import reference, run
from mlsys_core.compiler.ir import Tensor, compute, placeholder
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.schedule import Schedule, replay

SIZES = st.sampled_from([1, 2, 3, 5, 8, 9])


def chained(shape: tuple[int, ...]) -> Tensor:
    """tanh((x + 1) * x) - x in three definitions."""
    x = placeholder("X", shape, "float64")
    first = ops.elementwise("P", lambda e: e + 1, x)
    second = ops.elementwise("Q", lambda e, f: e * f, first, x)
    return ops.elementwise("Y", lambda e, f: ops.tanh(e) - f, second, x)


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES)
def test_an_inlined_chain_is_one_loop_without_workspaces(m, n):
    result = chained((m, n))
    schedule = Schedule(result)
    assert [t.name for t in schedule.lower().workspaces] == ["P", "Q"]
    schedule.inline("P")
    schedule.inline("Q")
    program = schedule.lower()
    assert program.workspaces == ()
    assert list(schedule.stages) == ["Y"]
    x = np.random.default_rng(m).standard_normal((m, n))
    np.testing.assert_allclose(run(program, {"X": x})["Y"], np.tanh((x + 1) * x) - x, atol=1e-14)
    np.testing.assert_array_equal(reference(schedule.outputs[0], {"X": x}), reference(result, {"X": x}))


def relu_of_product(m: int, k: int, n: int, dtype: str = "int32") -> Tensor:
    """max(A B + bias, 0) in two definitions, with axes of other names."""
    a, b, bias = placeholder("A", (m, k), dtype), placeholder("B", (k, n), dtype), placeholder("bias", (n,), dtype)
    product = ops.matmul(a, b, "P")
    return compute("Y", (m, n), lambda row, column: ops.maximum(product[row, column] + bias[column], 0))


@settings(max_examples=40, deadline=None)
@given(st.data(), SIZES, SIZES, SIZES, st.integers(0, 99))
def test_an_epilogue_runs_once_on_each_finished_element(data, m, k, n, seed):
    """Before or after the loops were changed, and whether the elements are held inside or outside of the sum, or not at all."""
    schedule = Schedule(relu_of_product(m, k, n))
    early = data.draw(st.booleans())
    if early:
        schedule.fuse_epilogue("Y")
    stage = schedule["Y" if early else "P"]
    stage.split("k", data.draw(st.integers(1, 4)))
    stage.split("j", data.draw(st.integers(1, 4)))
    stage.reorder(*data.draw(st.permutations(stage.order)))
    if data.draw(st.booleans()):
        stage.hold(data.draw(st.sampled_from(stage.order)))
    if not early:
        schedule.fuse_epilogue("Y")
    rng = np.random.default_rng(seed)
    a, b, bias = (rng.integers(-4, 5, s).astype(np.int32) for s in ((m, k), (k, n), (n,)))
    program = schedule.lower()
    assert program.workspaces == ()
    np.testing.assert_array_equal(run(program, {"A": a, "B": b, "bias": bias})["Y"], np.maximum(a @ b + bias, 0))


@settings(max_examples=30, deadline=None)
@given(st.data(), SIZES, SIZES)
def test_a_softmax_computed_by_rows(data, m, n):
    """The three producers run at the loop over columns, in buffers of a row; whatever else happens to the rows."""
    result = ops.softmax(placeholder("X", (m, n), "float64"))[-1]
    schedule = Schedule(result)
    if data.draw(st.booleans()):
        schedule["Y"].split("i", data.draw(st.integers(1, 4)))
    if data.draw(st.booleans()):
        schedule["Y_sum"].split("k", data.draw(st.integers(1, 4)))
    for name in ("Y_sum", "Y_exp", "Y_max"):
        schedule.compute_at(name, "Y", "j")
    program = schedule.lower()
    assert program.workspaces == ()
    assert f"Y_exp_at[{n}] in local" in str(program)
    assert "Y_max_at[] in local" in str(program)
    x = 10 * np.random.default_rng(n).standard_normal((m, n))
    np.testing.assert_allclose(run(program, {"X": x})["Y"], softmax(x, axis=1), atol=1e-14)
    again = replay([result], schedule.steps)
    assert str(again.lower()) == str(program)


def test_a_producer_that_is_needed_whole_is_computed_whole():
    """A transposed read at a loop over rows needs every row of the producer."""
    x = placeholder("X", (3, 4), "int32")
    doubled = ops.elementwise("P", lambda e: e * 2, x)
    turned = compute("Y", (4, 3), lambda i, j: doubled[j, i])
    schedule = Schedule(turned)
    schedule.compute_at("P", "Y", "j")
    assert "P_at[3]" in str(schedule.lower())
    v = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(run(schedule.lower(), {"X": v})["Y"], 2 * v.T)


def test_a_window_is_computed_once_a_row():
    """A stencil reads its producer at two places of a row, so the row is the buffer."""
    x = placeholder("X", (3, 5), "int32")
    doubled = ops.elementwise("P", lambda e: e * 2, x)
    summed = compute("Y", (3, 4), lambda i, j: doubled[i, j] + doubled[i, j + 1])
    schedule = Schedule(summed)
    schedule.compute_at("P", "Y", "j")
    assert "P_at[5]" in str(schedule.lower())
    v = np.arange(15, dtype=np.int32).reshape(3, 5)
    np.testing.assert_array_equal(run(schedule.lower(), {"X": v})["Y"], 2 * (v[:, :-1] + v[:, 1:]))


def test_what_cannot_be_fused_is_refused():
    schedule = Schedule(relu_of_product(3, 4, 5))
    with pytest.raises(ScheduleError, match="is an output"):
        schedule.inline("Y")
    with pytest.raises(ScheduleError, match="P reduces"):
        schedule.inline("P")
    with pytest.raises(ScheduleError, match="no stage Z"):
        schedule.inline("Z")
    rows = Schedule(ops.softmax(placeholder("X", (3, 4)))[-1])
    with pytest.raises(ScheduleError, match="also read by Y_exp"):
        rows.compute_at("Y_max", "Y", "j")
    with pytest.raises(ScheduleError, match="is an output"):
        rows.compute_at("Y", "Y_exp", "j")
    with pytest.raises(ScheduleError, match="no loop z"):
        rows.compute_at("Y_sum", "Y", "z")
    with pytest.raises(ScheduleError, match="each at its own place"):
        rows.fuse_epilogue("Y")
    rows["Y_sum"].split("i", 2)
    with pytest.raises(ScheduleError, match="neither split nor fused"):
        rows.compute_at("Y_sum", "Y", "j")
    both = ops.matmul(placeholder("A", (3, 3)), placeholder("B", (3, 3)), "P")
    kept = Schedule(both, ops.elementwise("Y", lambda e: e + 1, both))
    with pytest.raises(ScheduleError, match="needed elsewhere"):
        kept.fuse_epilogue("Y")


AFTERWARDS = {
    "the loop is split": (lambda s: s["Y"].split("j", 2), "not computed"),
    "an axis that has one value is split": (lambda s: s["Y_sum"].split("i", 2), "neither split nor fused"),
    "the buffer is packed": (lambda s: s["Y"].pack("Y_exp", "i"), "not computed"),
    "a reader is inlined": (lambda s: s.inline("Y_exp"), "already has a place"),
}


@pytest.mark.parametrize("name", AFTERWARDS)
def test_a_step_that_would_tear_a_producer_from_its_loop_is_refused_and_undone(name):
    steps, words = AFTERWARDS[name]
    schedule = Schedule(ops.softmax(placeholder("X", (3, 4), "float64"))[-1])
    for producer in ("Y_sum", "Y_exp", "Y_max"):
        schedule.compute_at(producer, "Y", "j")
    before = str(schedule.lower())
    with pytest.raises(ScheduleError, match=words):
        steps(schedule)
    assert str(schedule.lower()) == before


def test_a_stage_that_others_are_computed_in_is_not_fused_away():
    x = placeholder("X", (3, 4), "int32")
    first = ops.elementwise("P", lambda e: e + 1, x)
    second = ops.elementwise("Q", lambda e: e * 2, first)
    schedule = Schedule(ops.elementwise("Y", lambda e: e - 1, second))
    schedule.compute_at("P", "Q", "j")
    with pytest.raises(ScheduleError, match="P is computed at a loop of Q"):
        schedule.inline("Q")


def test_two_tensors_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Two tensors are called A"):
        Schedule(ops.matmul(placeholder("A", (3, 3)), placeholder("A", (3, 3))))
