"""The operations: each file one family, each operation a forward computation and two rules.

Idea, equations, papers and costs stand in the files, in the order in which a course meets them: arithmetic, elementwise,
shape, reduce, index, linear, einsum, softmax, then the fused operations of a transformer.
"""

from __future__ import annotations

from mlsys_core.autodiff.ops.activation import dropout, gelu, silu
from mlsys_core.autodiff.ops.arithmetic import add, div, mul, neg, pow, sub  # noqa: A004
from mlsys_core.autodiff.ops.attention import attention
from mlsys_core.autodiff.ops.einsum import einsum
from mlsys_core.autodiff.ops.elementwise import (
    UFUNCS,
    abs,  # noqa: A004
    cos,
    exp,
    log,
    maximum,
    relu,
    sigmoid,
    sin,
    sqrt,
    tanh,
    where,
)
from mlsys_core.autodiff.ops.index import embedding, getitem, take
from mlsys_core.autodiff.ops.linear import linear, matmul
from mlsys_core.autodiff.ops.loss import cross_entropy
from mlsys_core.autodiff.ops.normalize import layer_norm, rms_norm
from mlsys_core.autodiff.ops.reduce import max, mean, sum  # noqa: A004
from mlsys_core.autodiff.ops.shape import (
    broadcast_to,
    concatenate,
    reshape,
    split,
    stack,
    swapaxes,
    transpose,
)
from mlsys_core.autodiff.ops.softmax import log_softmax, logsumexp, softmax

__all__ = [
    "UFUNCS",
    "abs",
    "add",
    "attention",
    "broadcast_to",
    "concatenate",
    "cos",
    "cross_entropy",
    "div",
    "dropout",
    "einsum",
    "embedding",
    "exp",
    "gelu",
    "getitem",
    "layer_norm",
    "linear",
    "log",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "mul",
    "neg",
    "pow",
    "relu",
    "reshape",
    "rms_norm",
    "sigmoid",
    "silu",
    "sin",
    "softmax",
    "split",
    "sqrt",
    "stack",
    "sub",
    "sum",
    "swapaxes",
    "take",
    "tanh",
    "transpose",
    "where",
]
