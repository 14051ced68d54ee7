"""Calls the student's code for the checks of Lab 1, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from driver_engine import (
    broadcast_operands,
    counted_sweep,
    gradients,
    hessian_product,
    hessian_product_cost,
    hessian_product_forward_over_reverse,
    hessian_product_of_node,
    listed_order,
    prepare_sweeps,
    pullback_of_node,
    pulled_back,
    pushed_forward,
    repeated_gradients,
    repeated_operand,
    replayed_rule,
    rule,
    swept,
    swept_constant,
    timed_sweep,
)
from driver_memory import (
    buffers,
    chain_gradient,
    checkpoint_plan,
    mixed_steps,
    scaler_trace,
    unscaled,
)
from driver_passes import (
    rewritten,
)
from driver_transformer import (
    adam_steps,
    counted_step,
    expression_gradients,
    prepare_training,
    timed_training,
    trained,
    transformer_gradients,
    transformer_loss,
)

__all__ = [
    "adam_steps",
    "broadcast_operands",
    "buffers",
    "chain_gradient",
    "checkpoint_plan",
    "counted_step",
    "counted_sweep",
    "expression_gradients",
    "gradients",
    "hessian_product",
    "hessian_product_cost",
    "hessian_product_forward_over_reverse",
    "hessian_product_of_node",
    "listed_order",
    "mixed_steps",
    "predicted",
    "prepare_sweeps",
    "prepare_training",
    "pullback_of_node",
    "pulled_back",
    "pushed_forward",
    "repeated_gradients",
    "repeated_operand",
    "replayed_rule",
    "rewritten",
    "rule",
    "scaler_trace",
    "swept",
    "swept_constant",
    "timed_sweep",
    "timed_training",
    "trained",
    "transformer_gradients",
    "transformer_loss",
    "unscaled",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)
