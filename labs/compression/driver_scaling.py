"""Task 4: hands weights, norms and inputs to the student's code. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]


def _given(*arrays: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(one.copy()) for one in arrays]


def scales(program: ModuleType, *, x_max: Array, w_max: Array, alpha: float) -> Array:
    """`smooth_scales`."""
    return np.array(program.smooth_scales(*_given(x_max, w_max), alpha).numpy())


def smoothed(program: ModuleType, *, norm: Array, weights: list[Array], x_max: Array, alpha: float) -> Answer:
    """`smooth`: the new weights of the norm and of the matrices after it, and whether the old ones are as they were."""
    inputs = _given(norm, *weights)
    new_norm, new_weights = program.smooth(inputs[0], inputs[1:], *_given(x_max), alpha)
    kept = all(np.array_equal(one.numpy(), old) for one, old in zip(inputs, (norm, *weights), strict=True))
    return {"norm": np.array(new_norm.numpy()), "weights": [np.array(one.numpy()) for one in new_weights], "kept": kept}


def smoothed_all(program: ModuleType, *, places: list[Answer], alpha: float) -> list[Answer]:
    """`smooth` at each place, {"norm", "weights", "x_max"}."""
    return [smoothed(program, alpha=alpha, **place) for place in places]


def rows(program: ModuleType, *, x: Array) -> list[Array]:
    """`quantize_rows`: codes and scales."""
    q, scale = program.quantize_rows(*_given(x))
    return [np.array(q.numpy()), np.array(scale.numpy())]


def accumulated(program: ModuleType, *, a: Array, b: Array) -> Array:
    """`int8_matmul`."""
    return np.array(program.int8_matmul(*_given(a, b)).numpy())


def linear(program: ModuleType, *, x: Array, w: Array) -> Array:
    """`w8a8_linear`."""
    return np.array(program.w8a8_linear(*_given(x, w)).numpy())


def awq(program: ModuleType, *, w: Array, x: Array, bits: int, group: int, steps: int) -> Answer:
    """`awq_search`: scales, the exponent and the error."""
    found, alpha, error = program.awq_search(*_given(w, x), bits, group, steps)
    return {"scales": np.array(found.numpy()), "alpha": float(alpha), "error": float(error)}


def awq_of_all(
    program: ModuleType, *, weights: list[Array], inputs: list[Array], bits: int, group: int, steps: int
) -> list[Array]:
    """The scales of `awq_search` for each matrix."""
    return [
        np.array(awq(program, w=w, x=x, bits=bits, group=group, steps=steps)["scales"])
        for w, x in zip(weights, inputs, strict=True)
    ]
