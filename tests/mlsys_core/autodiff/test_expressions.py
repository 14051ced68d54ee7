"""Random programs that share their results: values, gradients, tangents and curvature are torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlsys_core import autodiff as ad
from tests.mlsys_core.autodiff import draws
from tests.mlsys_core.autodiff.against_torch import Trial, hold

# every two of them broadcast
SHAPES = ((), (1,), (3,), (2, 1), (2, 3), (4, 1, 1), (4, 2, 3))
MASK = np.array([[True, False, True], [False, False, True]])
Step = tuple[str, int, int]


def _last_exchanged(x: Any) -> Any:
    return x.swapaxes(-1, -2)


# each keeps numbers within [-1, 1], so that no program overflows; none has a kink, where rounding decides
BOTH = {
    "add": lambda a, b: (a + b) * 0.5,
    "sub": lambda a, b: 0.5 * a - b / 2,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / (b + 2),
    "pow": lambda a, b: ((a * a + 1) / 2) ** (b + 1),
    "both squared": lambda a, b: (a**2 - b**2) * 0.5,
    "mean of products": lambda a, b: (a * b).mean(),
}
# of one operand, with the functions of either library
ALONE = {
    "neg": lambda _, a: -a,
    "exp": lambda m, a: m.exp(a - 1),
    "log": lambda m, a: m.log(a + 2) / 2,
    "sqrt": lambda m, a: m.sqrt(1.5 + a) / 2,
    "sin": lambda m, a: m.sin(3 * a),
    "cos": lambda m, a: m.cos(a),
    "tanh": lambda m, a: m.tanh(2 * a),
    "sigmoid": lambda m, a: m.sigmoid(a),
    "reshape": lambda _, a: a.reshape((-1,)).reshape(a.shape) * 0.9,
}
# for operands with an axis: ours, torch's
SOME_AXIS = {
    "softmax": (ad.softmax, lambda a: torch.softmax(a, -1)),
    "log_softmax": (lambda a: ad.log_softmax(a) / 4, lambda a: torch.log_softmax(a, -1) / 4),
    "logsumexp": (
        lambda a: ad.logsumexp(a, -1, keepdims=True) / 4,
        lambda a: torch.logsumexp(a, -1, keepdim=True) / 4,
    ),
    "sum of the last": (lambda a: a.sum(-1, keepdims=True) / 3, lambda a: a.sum(-1, keepdim=True) / 3),
    "mean of the first": (lambda a: a.mean(0), lambda a: a.mean(0)),
    "layer_norm": (
        lambda a: ad.layer_norm(a, eps=0.5) / 2,
        lambda a: torch.nn.functional.layer_norm(a, a.shape[-1:], eps=0.5) / 2,
    ),
    "rms_norm": (
        lambda a: ad.rms_norm(a, eps=0.5) / 2,
        lambda a: torch.nn.functional.rms_norm(a, a.shape[-1:], eps=0.5) / 2,
    ),
    "gelu": (ad.gelu, lambda a: torch.nn.functional.gelu(a, approximate="tanh")),
    "silu": (ad.silu, torch.nn.functional.silu),
    "backwards": (lambda a: ad.take(a, np.arange(a.shape[-1])[::-1].copy(), -1), lambda a: a.flip(-1)),
    "halves": (
        lambda a: ad.concatenate([a[..., :1], a[..., 1:] * 0.5], -1),
        lambda a: torch.cat([a[..., :1], a[..., 1:] * 0.5], -1),
    ),
    "first": (lambda a: a[..., 0:1] * a, lambda a: a[..., 0:1] * a),
    "stack": (lambda a: ad.stack([a, a * a], -1).mean(-1), lambda a: torch.stack([a, a * a], -1).mean(-1)),
    "widened": (lambda a: ad.broadcast_to(a, (2, *a.shape))[1], lambda a: torch.broadcast_to(a, (2, *a.shape))[1]),
    "einsum": (
        lambda a: ad.einsum("i,j->j", a.reshape((-1,)), a.reshape((-1,))).reshape(a.shape) / 24,
        lambda a: torch.einsum("i,j->j", a.reshape(-1), a.reshape(-1)).reshape(a.shape) / 24,
    ),
}
# for operands with two: the same program in both
TWO_AXES = {
    "matmul": lambda a: a @ _last_exchanged(a) @ a / 9,
    "transpose": lambda a: _last_exchanged(_last_exchanged(a) * 0.9),
}
OPERATIONS = (*BOTH, *ALONE, *SOME_AXIS, *TWO_AXES, "where")


def _apply(library: Any, name: str, a: Any, b: Any) -> Any:
    """One step; an operation that needs more axes than its operand has is the negative instead."""
    ours = library is ad
    if name in BOTH:
        return BOTH[name](a, b)
    if name in ALONE:
        return ALONE[name](library, a)
    if name == "where":
        return library.where(MASK if ours else torch.tensor(MASK), a, b) if a.ndim < 3 > b.ndim else -a
    if name in SOME_AXIS:
        return SOME_AXIS[name][0 if ours else 1](a) if a.ndim else -a
    return TWO_AXES[name](a) if a.ndim > 1 else -a


def program(library: Any, steps: list[Step]) -> Any:
    """A function of several arrays: each step reads two of the inputs and earlier results."""

    def run(*inputs: Any) -> tuple[Any, ...]:
        values = list(inputs)
        for name, first, second in steps:
            # counted from the newest, so that programs are deep, and far enough back to share
            values.append(_apply(library, name, values[-1 - first % len(values)], values[-1 - second % len(values)]))
        # the sum makes every input count, so that each has a gradient
        return (*values[-2:], sum(x.sum() for x in inputs))

    return run


# a busy machine may be slow, which says nothing about a program
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shapes=st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3),
    steps=st.lists(
        st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=12
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_random_program_is_torchs(shapes: list[draws.Shape], steps: list[Step], seed: int):
    rng = np.random.default_rng(seed)
    inputs = [draws.laid_out(rng, np.asarray(rng.uniform(-1, 1, shape))) for shape in shapes]
    hold(Trial(inputs, program(ad, steps), program(torch, steps)), rng)
