"""Calls the student's code for the checks of Lab 3, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from driver_gptq import factor, gptq, gptq_of_all, hessian
from driver_int4 import card, multiplied, packed, products, project_product, timed_product, unpacked
from driver_kv import (
    attention_kept,
    hitters,
    kivi_states,
    needles_kept,
    project_quantized,
    quantized_attention,
    streamed,
    timed_quantized,
)
from driver_lowrank import adapters, factored, factored_for_inputs, lora_story, lora_work, nf4, nf4_table, scales_twice
from driver_pareto import compressed_models
from driver_rtn import dequantized, predicted_error, quantized, quantized_all
from driver_scaling import accumulated, awq, awq_of_all, linear, rows, scales, smoothed, smoothed_all
from driver_sparsity import (
    best_on_mask,
    compressed,
    group_mask,
    largest_mask,
    project_sparse,
    pruned,
    pruned_layers,
    sparse_product,
    timed_sparse,
    wanda,
)

__all__ = [
    "accumulated",
    "adapters",
    "attention_kept",
    "awq",
    "awq_of_all",
    "best_on_mask",
    "card",
    "compressed",
    "compressed_models",
    "dequantized",
    "factor",
    "factored",
    "factored_for_inputs",
    "gptq",
    "gptq_of_all",
    "group_mask",
    "hessian",
    "hitters",
    "kivi_states",
    "largest_mask",
    "linear",
    "lora_story",
    "lora_work",
    "multiplied",
    "needles_kept",
    "nf4",
    "nf4_table",
    "packed",
    "predicted",
    "predicted_error",
    "products",
    "project_product",
    "project_quantized",
    "project_sparse",
    "pruned",
    "pruned_layers",
    "quantized",
    "quantized_all",
    "quantized_attention",
    "rows",
    "scales",
    "scales_twice",
    "smoothed",
    "smoothed_all",
    "sparse_product",
    "streamed",
    "timed_product",
    "timed_quantized",
    "timed_sparse",
    "unpacked",
    "wanda",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)
