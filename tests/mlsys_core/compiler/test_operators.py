"""Definitions mean what numpy, scipy and torch compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from mlsys_core.compiler import operators as ops
from mlsys_core.compiler.expressions import Call, Var
from mlsys_core.compiler.interpreter import reference
from mlsys_core.compiler.ir import compute, placeholder, reduce_axis, reduction

SIZES = st.integers(1, 9)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES, SIZES, SIZES)
def test_products_of_matrices(g, m, k, n):
    a, b = drawn(g, m, k), drawn(g, k, n)
    one = ops.matmul(placeholder("A", (m, k), "float64"), placeholder("B", (k, n), "float64"))
    np.testing.assert_allclose(reference(one, {"A": a[0], "B": b[0]}), a[0] @ b[0], atol=1e-12)
    many = ops.batched_matmul(placeholder("A", (g, m, k), "float64"), placeholder("B", (g, k, n), "float64"))
    np.testing.assert_allclose(reference(many, {"A": a, "B": b}), a @ b, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(3, 8),
    st.integers(3, 8),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_convolution_is_torchs(kinds, height, width, stride, padding):
    channels, filters = kinds
    x, kernel = drawn(2, channels, height, width), drawn(filters, channels, 3, 2)
    y = ops.conv2d(
        placeholder("X", x.shape, "float64"), placeholder("K", kernel.shape, "float64"), stride=stride, padding=padding
    )
    want = torch.conv2d(torch.from_numpy(x), torch.from_numpy(kernel), stride=stride, padding=padding)
    np.testing.assert_allclose(reference(y, {"X": x, "K": kernel}), want.numpy(), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SIZES, SIZES)
def test_softmax_is_scipys(m, n):
    x = 30 * drawn(m, n)
    result = ops.softmax(placeholder("X", (m, n), "float64"))[-1]
    np.testing.assert_allclose(reference(result, {"X": x}), softmax(x, axis=1), atol=1e-14)


@pytest.mark.parametrize(("op", "want"), [("+", np.sum), ("*", np.prod), ("max", np.max), ("min", np.min)])
def test_row_reductions(op, want):
    x = drawn(5, 7)
    np.testing.assert_allclose(
        reference(ops.row_reduce(op, placeholder("X", (5, 7), "float64"), "Y"), {"X": x}), want(x, axis=1)
    )


def test_functions_of_elements():
    x = placeholder("X", (3, 4), "float64")
    each = ops.elementwise("Y", lambda e: Call("log", Call("abs", e) + 1) + ops.tanh(e) * Call("sqrt", e * e), x)
    v = drawn(3, 4)
    np.testing.assert_allclose(reference(each, {"X": v}), np.log(np.abs(v) + 1) + np.tanh(v) * np.abs(v))


def test_a_definition_over_definitions():
    """log Σ exp by two definitions, and a reduction over two axes at once."""
    x, v = placeholder("X", (4, 6), "float64"), drawn(4, 6)
    powers = ops.elementwise("E", ops.exp, x)
    total = ops.row_reduce("+", powers, "S")
    result = compute("Y", (4,), lambda i: Call("log", total[i]))
    np.testing.assert_allclose(reference(result, {"X": v}), logsumexp(v, axis=1))
    a, b = reduce_axis("a", 4), reduce_axis("b", 6)
    whole = compute("Z", (1,), lambda i: reduction("+", x[Var("a") + i, Var("b")], a, b))
    np.testing.assert_allclose(reference(whole, {"X": v}), [v.sum()])


def test_whole_numbers_wrap_around():
    x = placeholder("X", (1, 2), "int32")
    top = np.array([[2**31 - 1, 1]], np.int32)
    assert reference(ops.row_reduce("+", x, "Y"), {"X": top}) == [-(2**31)]


def test_what_cannot_be_defined_is_refused_in_words():
    a, b = placeholder("A", (3, 4)), placeholder("B", (5, 6))
    with pytest.raises(ValueError, match="columns of A and the rows of B are 4 and 5"):
        ops.matmul(a, b)
    with pytest.raises(ValueError, match="one dtype"):
        compute("C", (3,), lambda i: a[i, 0] + placeholder("D", (3,), "int32")[i])
    with pytest.raises(ValueError, match="1 dimensions and its definition 2 parameters"):
        compute("C", (3,), lambda i, j: a[i, j])
    with pytest.raises(ValueError, match="one name"):
        compute("C", (3,), lambda k: reduction("+", a[k, Var("k")], reduce_axis("k", 4)))
    with pytest.raises(ValueError, match="at least 1"):
        placeholder("A", (3, 0))
    with pytest.raises(ValueError, match="dtype float16"):
        placeholder("A", (3,), "float16")
    with pytest.raises(ValueError, match="no reduction 'mean'"):
        reduction("mean", a[0, 0])
    with pytest.raises(ValueError, match="Dimensions of elementwise operands are 3 and 4"):
        ops.elementwise("C", lambda x, y: x + y, a, placeholder("D", (4, 4)))
