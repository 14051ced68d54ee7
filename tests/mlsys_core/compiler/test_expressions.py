"""Expressions answer what brute force over all values of their variables answers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsys_core.compiler.expressions import (
    Binary,
    Call,
    Const,
    Expr,
    Var,
    binary,
    bounds,
    stride,
    substitute,
    variables,
)
from mlsys_core.compiler.interpreter import OPERATIONS
from mlsys_core.compiler.ir import placeholder, text

NAMES = {"a": 3, "b": 4, "c": 2}


def indices():
    leaves = st.sampled_from([Var(name) for name in NAMES]) | st.integers(0, 5).map(Const)

    def grown(inner):
        affine = st.tuples(st.sampled_from("+-*"), inner, inner).map(lambda t: (t[0], t[1], t[2]))
        divided = st.tuples(st.sampled_from(["//", "%"]), inner, st.integers(1, 5).map(Const))
        return (affine | divided).map(lambda t: binary(*t))

    return st.recursive(leaves, grown, max_leaves=8)


def value(e: Expr, env: dict[str, int]) -> int:
    """Without any simplification."""
    if isinstance(e, Binary):
        return OPERATIONS[e.op](value(e.a, env), value(e.b, env))
    return env[e.name] if isinstance(e, Var) else e.value


def everywhere():
    return [dict(zip(NAMES, at, strict=True)) for at in itertools.product(*(range(n) for n in NAMES.values()))]


@settings(max_examples=60, deadline=None)
@given(indices(), indices(), st.sampled_from(["+", "-", "*"]))
def test_simplification_keeps_every_value(a, b, op):
    made = binary(op, a, b)
    for env in everywhere():
        assert value(made, env) == OPERATIONS[op](value(a, env), value(b, env))


@settings(max_examples=60, deadline=None)
@given(indices(), st.integers(0, 3))
def test_substitution_is_evaluation(e, at):
    shifted = substitute(e, {"a": Var("b") + at})
    for env in everywhere():
        assert value(shifted, env) == value(e, {**env, "a": env["b"] + at})


@settings(max_examples=60, deadline=None)
@given(indices(), st.sampled_from(sorted(NAMES)))
def test_stride_is_the_difference_of_neighbours(e, name):
    steps = {value(e, {**env, name: env[name] + 1}) - value(e, env) for env in everywhere()}
    found = stride(e, name)
    assert found is None or steps == {found}
    if name not in variables(e):
        assert found == 0


def test_stride_of_what_loops_make_is_known():
    e = (Var("a") * 4 + Var("b")) * 30 + (2 + Var("c")) * 3
    assert [stride(e, name) for name in "abc"] == [120, 30, 3]
    assert stride(Var("a") // 2, "a") is None


@settings(max_examples=60, deadline=None)
@given(indices())
def test_bounds_hold_every_value(e):
    low, high = bounds(e, NAMES)
    assert all(low <= value(e, env) <= high for env in everywhere())


def test_bounds_of_an_affine_index_are_reached():
    e = Var("a") * 4 - Var("b") + 7
    values = [value(e, env) for env in everywhere()]
    assert bounds(e, NAMES) == (min(values), max(values))


@settings(max_examples=60, deadline=None)
@given(indices())
def test_text_is_what_python_reads_the_same_way(e):
    for env in everywhere()[::5]:
        assert eval(text(e), {}, dict(env)) == value(e, env)


def test_text_of_loads_and_calls():
    x = placeholder("x", (4, 5))
    assert (
        text(Call("exp", x[Var("i.0") * 2 + Var("i.1"), 3] - 1.5) * (x[0, 0] + 2))
        == "exp(x[i.0 * 2 + i.1, 3] - 1.5) * (x[0, 0] + 2)"
    )
    assert text(-x[1, 1] / (x[0, 0] < 2)) == "(0 - x[1, 1]) / (x[0, 0] < 2)"


def test_a_load_needs_an_index_for_each_dimension():
    with pytest.raises(ValueError, match="2 dimensions and was given 1 indices"):
        placeholder("x", (4, 5))[Var("i")]


def test_only_indices_have_bounds():
    with pytest.raises(ValueError, match="no index"):
        bounds(Var("i") / 2, {"i": 3})
