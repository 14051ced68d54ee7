"""Calls the student's code for the checks of Lab 3, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from driver_gptq import factor, gptq, gptq_of_all, hessian
from driver_int4 import card, multiplied, packed, products, project_product, timed_product, unpacked
from driver_rtn import dequantized, predicted_error, quantized, quantized_all
from driver_scaling import accumulated, awq, awq_of_all, linear, rows, scales, smoothed, smoothed_all

__all__ = [
    "accumulated",
    "awq",
    "awq_of_all",
    "card",
    "dequantized",
    "factor",
    "gptq",
    "gptq_of_all",
    "hessian",
    "linear",
    "multiplied",
    "packed",
    "predicted",
    "predicted_error",
    "products",
    "project_product",
    "quantized",
    "quantized_all",
    "rows",
    "scales",
    "smoothed",
    "smoothed_all",
    "timed_product",
    "unpacked",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)
