"""Definitions of the usual operators: products of matrices, convolution, softmax, elementwise functions, reductions.

Idea      An operator is one expression for an element of its result; nothing here says in which order anything is computed.
Equation  matmul   C[i, j] = Σ_k A[i, k] B[k, j]
          conv2d   Y[n, o, h, w] = Σ_{c, p, q} X[n, c, s h + p - pad, s w + q - pad] K[o, c, p, q], X = 0 outside
          softmax  Y[i, j] = E[i, j] / Σ_l E[i, l], E[i, j] = exp(X[i, j] - max_l X[i, l])
Paper     T. Chen et al., "TVM: an automated end-to-end optimizing compiler for deep learning", OSDI 2018, section 4.1.
Cost      2mnk operations for a product of m×k by k×n.
"""

from __future__ import annotations

from collections.abc import Callable

from mlsys_core.compiler.expressions import Binary, Call, Const, Expr, Select, Var
from mlsys_core.compiler.ir import Reduction, Tensor, compute, reduce_axis, reduction


def maximum(a: Expr | float, b: Expr | float) -> Expr:
    """The larger of two; NaN where either is NaN."""
    return Binary("max", *(x if isinstance(x, Expr) else Const(x) for x in (a, b)))


def exp(x: Expr) -> Expr:
    """e to the power of x."""
    return Call("exp", x)


def tanh(x: Expr) -> Expr:
    """The hyperbolic tangent."""
    return Call("tanh", x)


def _agree(what: str, one: int, other: int) -> int:
    if one != other:
        raise ValueError(f"{what} {one} and {other}; they have to be equal.")
    return one


def matmul(a: Tensor, b: Tensor, name: str = "C") -> Tensor:
    """(m, k) by (k, n) to (m, n)."""
    k = reduce_axis("k", _agree("The columns of A and the rows of B are", a.shape[1], b.shape[0]))
    return compute(name, (a.shape[0], b.shape[1]), lambda i, j: reduction("+", a[i, Var("k")] * b[Var("k"), j], k))


def batched_matmul(a: Tensor, b: Tensor, name: str = "C") -> Tensor:
    """(batch, m, k) by (batch, k, n) to (batch, m, n)."""
    _agree("The batches are", a.shape[0], b.shape[0])
    k = reduce_axis("k", _agree("The columns of A and the rows of B are", a.shape[2], b.shape[1]))
    shape = (a.shape[0], a.shape[1], b.shape[2])
    return compute(name, shape, lambda g, i, j: reduction("+", a[g, i, Var("k")] * b[g, Var("k"), j], k))


def conv2d(x: Tensor, kernel: Tensor, *, stride: int = 1, padding: int = 0, name: str = "Y") -> Tensor:
    """(batch, channels, height, width) with (filters, channels, p, q): a correlation, zero-padded on all four sides."""
    batch, channels, *size = x.shape
    filters, _, *window = kernel.shape
    c = reduce_axis("c", _agree("The channels are", channels, kernel.shape[1]))
    p, q = reduce_axis("p", window[0]), reduce_axis("q", window[1])
    out = [(have + 2 * padding - take) // stride + 1 for have, take in zip(size, window, strict=True)]

    def element(n: Expr, o: Expr, h: Expr, w: Expr) -> Reduction:
        row, column = h * stride + Var("p") - padding, w * stride + Var("q") - padding
        read: Expr = x[n, Var("c"), row, column]
        if padding:
            inside = (Const(-1) < row) & (row < size[0]) & (Const(-1) < column) & (column < size[1])
            read = Select(inside, read, Const(0))
        return reduction("+", read * kernel[o, Var("c"), Var("p"), Var("q")], c, p, q)

    return compute(name, (batch, filters, *out), element)


def softmax(x: Tensor, name: str = "Y") -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the rows of (m, n), in four definitions: the rows' largest elements, exponentials, their sums, the result."""
    m, n = x.shape
    largest = row_reduce("max", x, f"{name}_max")
    powers = compute(f"{name}_exp", (m, n), lambda i, j: exp(x[i, j] - largest[i]))
    total = row_reduce("+", powers, f"{name}_sum")
    return largest, powers, total, compute(name, (m, n), lambda i, j: powers[i, j] / total[i])


def elementwise(name: str, function: Callable[..., Expr], *operands: Tensor) -> Tensor:
    """`function` of the elements of tensors of one shape (of up to four dimensions)."""
    shape = operands[0].shape
    for tensor in operands[1:]:
        for ours, theirs in zip(shape, tensor.shape, strict=True):
            _agree("Dimensions of elementwise operands are", ours, theirs)
    forms: list[Callable[..., Expr]] = [
        lambda i: function(*(t[i] for t in operands)),
        lambda i, j: function(*(t[i, j] for t in operands)),
        lambda g, i, j: function(*(t[g, i, j] for t in operands)),
        lambda n, c, h, w: function(*(t[n, c, h, w] for t in operands)),
    ]
    return compute(name, shape, forms[len(shape) - 1])


def row_reduce(op: str, x: Tensor, name: str) -> Tensor:
    """(m, n) to (m,): the sum, product, largest or smallest of each row."""
    k = reduce_axis("k", x.shape[1])
    return compute(name, (x.shape[0],), lambda i: reduction(op, x[i, Var("k")], k))
