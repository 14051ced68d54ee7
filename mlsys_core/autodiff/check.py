"""Trusting a derivative: comparison with finite differences.

Idea      A central difference is an oracle that knows nothing of the rules. Contracting with random cotangents, instead of
          summing the output, also catches rules that are right only for ones: transposes, missing factors, lost terms.
Equation  uᵀ J eᵢ ≈ uᵀ (f(x + h eᵢ) - f(x - h eᵢ)) / 2h,  error O(h²) + O(ε/h), least near h = ε^⅓ ≈ 6e-6
Paper     N. J. Higham, "Accuracy and Stability of Numerical Algorithms", SIAM, 2nd ed. 2002, section 1.14;
          W. Squire, G. Trapp, SIAM Review 40(1), 1998, on the limits of differences.
Cost      Two evaluations of f an input element, in float64 only, since in float32 the difference has 3 digits at best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlsys_core.autodiff.functional import grad, jvp, vjp
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor

Function = Callable[..., Any]


class GradientMismatchError(AssertionError):
    """A derivative differs from its finite difference; the message says which, where and by how much."""


def gradcheck(
    f: Function,
    inputs: Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-6,
    rtol: float = 1e-5,
    cotangents: int = 2,
    forward: bool = True,
    seed: int = 0,
) -> bool:
    """True when vjp, and with `forward` also jvp, of f agree with central differences at the inputs.

    f takes float64 tensors and returns a tensor or a tuple of them; it must give the same result twice and leave its
    inputs alone. Raises GradientMismatchError where a derivative is wrong, TypeError for inputs that are not float64.
    """
    arrays = [np.array(x, copy=True) for x in inputs]
    for i, x in enumerate(arrays):
        if x.dtype != np.float64:
            raise TypeError(f"Input {i} is {x.dtype}; finite differences are only sharp enough in float64.")
    rng = np.random.default_rng(seed)
    outputs = _evaluate(f, arrays)
    if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(outputs, _evaluate(f, arrays), strict=True)):
        raise GradientMismatchError(
            "The function gave two different results for the same inputs, so it has no derivative to check."
        )
    columns = [_columns(f, arrays, i, eps) for i in range(len(arrays))]
    for _ in range(cotangents):
        us: list[Array] = [np.asarray(rng.standard_normal(y.shape)) for y in outputs]
        _check_reverse(f, arrays, us, columns, atol=atol, rtol=rtol)
        if forward:
            _check_forward(f, arrays, [rng.standard_normal(x.shape) for x in arrays], columns, atol=atol, rtol=rtol)
    return True


def gradgradcheck(f: Function, inputs: Sequence[Any], *, seed: int = 0, **options: Any) -> bool:
    """True when second derivatives of f are right: a gradcheck of its vjp, as a function of the inputs and the cotangents."""
    arrays = [np.array(x, copy=True) for x in inputs]
    rng = np.random.default_rng(seed)
    us = [rng.standard_normal(y.shape) for y in _evaluate(f, arrays)]

    def pulled(*arguments: Tensor) -> tuple[Tensor, ...]:
        xs, cotangents = arguments[: len(arrays)], arguments[len(arrays) :]
        outputs = _tuple(f(*xs))
        result: tuple[Tensor, ...] = grad(outputs, xs, cotangents, create_graph=True)
        return result

    return gradcheck(pulled, [*arrays, *us], seed=seed + 1, **options)


def _tuple(outputs: Any) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def _evaluate(f: Function, arrays: Sequence[Array]) -> list[Array]:
    """Values at copies of the inputs; a function that writes into its inputs is told so."""
    tensors = [Tensor(x.copy(), requires_grad=True) for x in arrays]
    values = [np.array(y.data, copy=True) for y in _tuple(f(*tensors))]
    for i, (x, before) in enumerate(zip(tensors, arrays, strict=True)):
        if not np.array_equal(x.data, before, equal_nan=True):
            raise GradientMismatchError(
                f"The function changed input {i} in place, so what its rules saved is no longer true."
            )
    return values


def _columns(f: Function, arrays: Sequence[Array], which: int, eps: float) -> list[Array]:
    """Finite-difference Jacobians with respect to one input: for each output an array (output shape..., input size)."""
    x = arrays[which]
    found: list[list[Array]] = []
    for i in range(x.size):
        at = np.unravel_index(i, x.shape)
        step = eps * max(1.0, abs(float(x[at])))
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[at] += sign * step
            sides.append(_evaluate(f, [*arrays[:which], moved, *arrays[which + 1 :]]))
        found.append([(up - down) / (2 * step) for up, down in zip(*sides, strict=True)])
    outputs = _evaluate(f, arrays)
    return [
        np.stack([c[k] for c in found], axis=-1) if found else np.zeros((*y.shape, 0)) for k, y in enumerate(outputs)
    ]


def _check_reverse(
    f: Function, arrays: Sequence[Array], us: Sequence[Array], columns: list[list[Array]], *, atol: float, rtol: float
) -> None:
    found = vjp(f, *arrays)[1](*us)
    for i, (x, g) in enumerate(zip(arrays, found, strict=True)):
        want = sum((np.tensordot(u, c, axes=u.ndim) for u, c in zip(us, columns[i], strict=True)), np.zeros(x.size))
        _compare(f"vjp with respect to input {i}", g.data, want.reshape(x.shape), atol, rtol)


def _check_forward(
    f: Function, arrays: Sequence[Array], vs: Sequence[Array], columns: list[list[Array]], *, atol: float, rtol: float
) -> None:
    for k, moved in enumerate(_tuple(jvp(f, arrays, vs)[1])):
        want = sum((columns[i][k] @ v.ravel() for i, v in enumerate(vs)), np.zeros(moved.shape))
        _compare(f"jvp of output {k}", moved.data, want, atol, rtol)


def _compare(what: str, got: Array, want: Array, atol: float, rtol: float) -> None:
    """Raises when they differ by more than atol + rtol·|want| (the largest |want| counts, since differences share noise)."""
    if got.shape != want.shape:
        raise GradientMismatchError(f"The {what} has shape {got.shape}, and it must be {want.shape}.")
    error = np.abs(got - want)
    allowed = atol + rtol * np.max(np.abs(want), initial=0.0)
    if got.size and not error.max() <= allowed:
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.nan_to_num(error, nan=np.inf))), got.shape))
        raise GradientMismatchError(
            f"The {what} is {got[at]:.6g} at {at}, and the finite difference there is {want[at]:.6g} (allowed {allowed:.1g} apart)."
        )
