"""Sending less than the gradients, and remembering what was left out.

Read `error_feedback` first, then `top_k` (few elements), `power_sgd` (few ranks) and `one_bit` (one bit an element).
"""

from __future__ import annotations

from mlsys_core.parallelism.compression.error_feedback import ErrorFeedback
from mlsys_core.parallelism.compression.one_bit import OneBitAdam, OneBitMean
from mlsys_core.parallelism.compression.power_sgd import PowerSGDState, powersgd_hook
from mlsys_core.parallelism.compression.top_k import TopKState, topk_hook

__all__ = [
    "ErrorFeedback",
    "OneBitAdam",
    "OneBitMean",
    "PowerSGDState",
    "TopKState",
    "powersgd_hook",
    "topk_hook",
]
