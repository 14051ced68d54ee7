"""Less memory for more time: activations that are computed again instead of kept.

Read `checkpoint` (one function), `sequential` (a chain of layers), `budget` (the best plan for a number of bytes), `meter`
(what the tape keeps).
"""

from __future__ import annotations

from mlsys_core.autodiff.checkpointing.budget import BudgetError, Plan, Recorded, Redone, Stage, cost, optimal, peak
from mlsys_core.autodiff.checkpointing.checkpoint import checkpoint
from mlsys_core.autodiff.checkpointing.meter import Meter, kept_bytes
from mlsys_core.autodiff.checkpointing.sequential import checkpoint_sequential, measured, run_plan

__all__ = [
    "BudgetError",
    "Meter",
    "Plan",
    "Recorded",
    "Redone",
    "Stage",
    "checkpoint",
    "checkpoint_sequential",
    "cost",
    "kept_bytes",
    "measured",
    "optimal",
    "peak",
    "run_plan",
]
