"""Task 1: hands weights to `quantize`, and codes to `dequantize`. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch

Array = np.ndarray
Answer = dict[str, Any]


def quantized(program: ModuleType, *, w: Array, **settings: Any) -> Answer:
    """The fields of what `quantize` returns, and whether the weights are as they were."""
    given = torch.from_numpy(w.copy())
    found = program.quantize(given, **settings)
    return _fields(found) | {"kept": bool(np.array_equal(given.numpy(), w))}


def quantized_all(program: ModuleType, *, weights: list[Array], **settings: Any) -> list[Answer]:
    """`quantize` of each matrix."""
    return [_fields(program.quantize(torch.from_numpy(w.copy()), **settings)) for w in weights]


def _fields(found: Any) -> Answer:
    return {name: np.array(getattr(found, name).numpy()) for name in ("q", "scale", "zero")} | {
        "group": int(found.group)
    }


def dequantized(program: ModuleType, *, q: Array, scale: Array, zero: Array, group: int) -> Array:
    """What the codes stand for."""
    given = program.Quantized(*(torch.from_numpy(one.copy()) for one in (q, scale, zero)), group)
    return np.array(program.dequantize(given).numpy())


def predicted_error(program: ModuleType, *, scale: Array) -> float:
    """`predict_mean_squared_error`."""
    return float(program.predict_mean_squared_error(torch.from_numpy(scale.copy())))
