"""Task 3: hands weights, inputs and Hessians to the student's code. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]


def hessian(program: ModuleType, *, batches: list[Array]) -> Array:
    """`hessian` of batches that can be had once."""
    return np.array(program.hessian(torch.from_numpy(one.copy()) for one in batches).numpy())


def factor(program: ModuleType, *, h: Array, damp: float) -> Array:
    """`inverse_factor`."""
    return np.array(program.inverse_factor(torch.from_numpy(h.copy()), damp).numpy())


def gptq(program: ModuleType, *, w: Array, h: Array, bits: int, **settings: Any) -> Answer:
    """The fields of what `gptq` returns, and whether its inputs are as they were."""
    given = [torch.from_numpy(one.copy()) for one in (w, h)]
    found = program.gptq(*given, bits, **settings)
    kept = all(np.array_equal(one.numpy(), array) for one, array in zip(given, (w, h), strict=True))
    return _fields(found) | {"kept": kept}


def gptq_of_all(
    program: ModuleType, *, weights: list[Array], hessians: list[Array], bits: int, **settings: Any
) -> list[Answer]:
    """`gptq` of each matrix."""
    return [
        _fields(program.gptq(torch.from_numpy(w.copy()), torch.from_numpy(h.copy()), bits, **settings))
        for w, h in zip(weights, hessians, strict=True)
    ]


def _fields(found: Any) -> Answer:
    return {name: np.array(getattr(found, name).numpy()) for name in ("q", "scale", "zero", "group_of")}
