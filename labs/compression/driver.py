"""Calls the student's code for the checks of Lab 3, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

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
    "adapters",
    "attention_kept",
    "best_on_mask",
    "compressed",
    "compressed_models",
    "factored",
    "factored_for_inputs",
    "group_mask",
    "hitters",
    "kivi_states",
    "largest_mask",
    "lora_story",
    "lora_work",
    "needles_kept",
    "nf4",
    "nf4_table",
    "predicted",
    "project_quantized",
    "project_sparse",
    "pruned",
    "pruned_layers",
    "quantized_attention",
    "scales_twice",
    "sparse_product",
    "streamed",
    "timed_quantized",
    "timed_sparse",
    "wanda",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's function says, before anything is run."""
    return getattr(program, function)(**arguments)
