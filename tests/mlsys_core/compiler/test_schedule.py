"""Schedules never change a result; what would is refused in a sentence, and leaves the schedule as it was."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.interpreter import reference, run
from mlsys_core.compiler.ir import For, Program, Stmt, Store, compute, placeholder
from mlsys_core.compiler.loops import Env, ScheduleError
from mlsys_core.compiler.schedule import Schedule, replay
from tests.mlsys_core.compiler.draws import definitions, inputs_of, product, schedules


def same_bits(found: np.ndarray, want: np.ndarray) -> bool:
    return found.dtype == want.dtype and found.shape == want.shape and found.tobytes() == want.tobytes()


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 1000))
def test_every_legal_schedule_gives_the_same_bits(data, seed):
    """The inputs are small whole numbers, so floating-point sums are exact in every order; zeros may differ in sign alone."""
    tensor = data.draw(definitions())
    schedule = data.draw(schedules(tensor))
    inputs = inputs_of(schedule, seed)
    found = run(schedule.lower(), inputs)["C"] + 0
    assert same_bits(found, reference(tensor, inputs) + 0), schedule.steps


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_loops_visit_every_point_once(data):
    schedule = data.draw(schedules(data.draw(definitions(dtypes=("int32",)))))
    loops = schedule["C"].loops
    seen = []
    for env in loops.walk(0, Env()):
        extents = {loop: env.extents[loop] for loop in loops.order}
        values = [loops.value(axis, env) for axis in loops.axes]
        for at in itertools.product(*(range(n) for n in extents.values())):
            here = dict(zip(extents, at, strict=True))
            seen.append(tuple(eval_index(v, here) for v in values))
    whole = itertools.product(*(range(axis.extent) for axis in loops.axes.values()))
    assert sorted(seen) == sorted(whole)


def eval_index(e, env):
    from mlsys_core.compiler.interpreter import _value

    return _value(e, env, {})


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_steps_survive_json_and_make_the_same_nest(data):
    tensor = data.draw(definitions())
    schedule = data.draw(schedules(tensor))
    again = replay([tensor], json.loads(json.dumps(schedule.steps)))
    assert str(again.lower()) == str(schedule.lower())
    assert again.steps == schedule.steps


def stores(program: Program) -> list[tuple[int, Store]]:
    """Each store of a nest with how often it runs."""

    def of(s: Stmt, times: int):
        if isinstance(s, Store):
            yield times, s
            return
        for inner in s.body:
            yield from of(inner, times * (s.extent if isinstance(s, For) else 1))

    return [found for s in program.body for found in of(s, 1)]


def test_a_remainder_is_a_tail_and_never_a_guard():
    schedule = Schedule(product(10, 1, 1, "int32"))
    schedule["C"].split("i", 4)
    assert "i.0 in 0..2" in str(schedule.lower())
    assert "i.1 in 0..2" in str(schedule.lower())
    assert sum(times for times, _ in stores(schedule.lower())) == 2 * 10  # a start and a term of each element


def test_what_is_packed_is_read_from_first_to_last():
    """The place in a packed buffer grows by one with every term of the loops that it depends on."""
    schedule = Schedule(product(4, 6, 8, "int32"))
    c = schedule["C"]
    c.split("j", 4)
    c.reorder("j.0", "i", "k", "j.1")
    c.pack("B", "i")
    text = str(schedule.lower())
    assert "B_pack[k, j.1] = B[k, j.0 * 4 + j.1]" in text
    assert "A[i, k] * B_pack[k, j.1]" in text
    c.pack("A", "k")
    assert "A_pack[k] = A[i, k]" in str(schedule.lower())


def test_held_elements_are_written_once():
    schedule = Schedule(product(5, 7, 8, "int32"))
    c = schedule["C"]
    c.reorder("i", "k", "j")
    c.vectorize("j")
    assert sum(times for times, s in stores(schedule.lower()) if s.tensor.name == "C") == 5 * 8 * (1 + 7)
    c.hold("k")
    assert sum(times for times, s in stores(schedule.lower()) if s.tensor.name == "C") == 5 * 8
    assert "C_held[8] in register" in str(schedule.lower())


REFUSED = {
    "split k, not there": (lambda c: c.split("x", 2), "no loop x"),
    "an empty block": (lambda c: c.split("i", 0), "at least one place"),
    "vectors along a sum": (lambda c: c.vectorize("k"), "one after the other"),
    "threads along a sum": (lambda c: c.parallel("k"), "same element at once"),
    "vectors outside": (lambda c: c.vectorize("j"), "stay innermost"),
    "a long loop written out": (lambda c: c.unroll("i"), "at most 64"),
    "two loops that do not touch": (lambda c: c.fuse("i", "k"), "not right inside"),
    "a sum fused with elements": (lambda c: c.fuse("j", "k"), "one loop cannot do both"),
    "a loop twice": (lambda c: c.reorder("i", "i"), "named twice"),
    "tiles of strangers": (lambda c: c.tile("i", "k", 2, 2), "not neighbours"),
    "a tensor that is not read": (lambda c: c.pack("Z", "i"), "reads Z in 0 places"),
    "two kinds": (lambda c: (c.parallel("i"), c.parallel("i")), "already parallel"),
    "a marked loop split": (lambda c: (c.parallel("i"), c.split("i", 2)), "already parallel"),
    "packed twice": (lambda c: (c.pack("A", "j"), c.pack("A", "k")), "already packed"),
    "held twice": (lambda c: (c.hold("k"), c.hold("j")), "already held"),
    "a loop under a buffer split": (lambda c: (c.hold("k"), c.split("k", 2)), "buffer stands around"),
    "vectors moved outward": (
        lambda c: (c.reorder("i", "k", "j"), c.vectorize("j"), c.reorder("i", "j", "k")),
        "stay innermost",
    ),
    "a ragged block fused": (lambda c: (c.split("i", 8), c.fuse("i.0", "i.1")), "not one number"),
    "a ragged block in pieces": (
        lambda c: (c.split("i", 8), c.split("i.1", 3), c.reorder("i.1.0", "i.0", "i.1.1")),
        "not one number",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_illegal_step_is_refused_and_undone(name):
    steps, words = REFUSED[name]
    schedule = Schedule(product(66, 3, 5, "int32"))
    with pytest.raises(ScheduleError, match=words):
        steps(schedule["C"])
    again = replay([schedule.outputs[0]], schedule.steps)
    assert str(again.lower()) == str(schedule.lower())
    inputs = inputs_of(schedule, 1)
    assert same_bits(run(schedule.lower(), inputs)["C"], inputs["A"] @ inputs["B"])


def test_what_is_read_twice_or_under_a_condition_is_not_packed():
    a = placeholder("A", (6, 6), "int32")
    square = Schedule(compute("C", (6, 5), lambda i, j: a[i, j] + a[i, j + 1]))
    with pytest.raises(ScheduleError, match="in 2 places"):
        square["C"].pack("A", "j")
    padded = Schedule(ops.conv2d(placeholder("A", (1, 1, 4, 4)), placeholder("B", (1, 1, 3, 3)), padding=1, name="C"))
    with pytest.raises(ScheduleError, match="under a condition"):
        padded["C"].pack("A", "h")
    with pytest.raises(ScheduleError, match="nothing to hold"):
        square["C"].hold("j")


def test_a_loop_fused_with_another_axis_is_packed_over_both():
    """The fused loop's length depends on a block of j that leaves a remainder, although what is packed does not depend on j."""
    schedule = Schedule(product(3, 4, 7, "int32"))
    c = schedule["C"]
    c.split("j", 4)
    c.reorder("k", "j.0", "j.1", "i")
    c.fuse("j.1", "i")
    c.pack("A", "k")
    assert "A_pack[4, 2, 12]" in str(schedule.lower())
    inputs = inputs_of(schedule, 8)
    assert same_bits(run(schedule.lower(), inputs)["C"], inputs["A"] @ inputs["B"])


def test_a_packed_convolution_is_im2col():
    x = placeholder("A", (1, 3, 6, 5), "int32")
    schedule = Schedule(ops.conv2d(x, placeholder("B", (4, 3, 3, 2), "int32"), name="C"))
    c = schedule["C"]
    c.reorder("n", "h", "w", "c", "p", "q", "o")
    c.pack("A", "h")
    text = str(schedule.lower())
    assert "A_pack[4, 4, 3, 3, 2]" in text
    inputs = inputs_of(schedule, 3)
    assert same_bits(run(schedule.lower(), inputs)["C"], reference(schedule.outputs[0], inputs))


def test_the_interpreter_knows_what_was_never_written_and_what_is_outside():
    schedule = Schedule(product(3, 3, 3, "float64"))
    program = schedule.lower()
    inputs = inputs_of(schedule, 0)
    only_terms = Program("broken", program.inputs, program.outputs, (), program.body[0].body[0].body[1:])
    with pytest.raises(KeyError):
        run(only_terms, inputs)
    c = program.outputs[0]
    nothing = Program("broken", (), (c,), (), (Store(c, c[0, 0].index, c[1, 1]),))
    assert np.isnan(run(nothing, {})["C"]).all()
    outside = Program("broken", (), (c,), (), (Store(c, c[0, 3].index, c[1, 1]),))
    with pytest.raises(IndexError, match=r"shape \(3, 3\) and is used at \(0, 3\)"):
        run(outside, {})
