"""Layers on different ranks. Read `schedule`, `validate` and `simulate`, then `stage` and `runtime`; `draw` shows what happens."""

from __future__ import annotations

from mlsys_core.parallelism.pipeline.runtime import Outcome, run_schedule, split_batch
from mlsys_core.parallelism.pipeline.schedule import (
    Action,
    Kind,
    Schedule,
    bubble_cost,
    gpipe,
    interleaved_1f1b,
    one_f_one_b,
)
from mlsys_core.parallelism.pipeline.simulate import Durations, Timeline, durations, equal_stages, simulate
from mlsys_core.parallelism.pipeline.stage import Stage, cut, own_stages
from mlsys_core.parallelism.pipeline.validate import ScheduleError, faults, in_flight, validate

__all__ = [
    "Action",
    "Durations",
    "Kind",
    "Outcome",
    "Schedule",
    "ScheduleError",
    "Stage",
    "Timeline",
    "bubble_cost",
    "cut",
    "durations",
    "equal_stages",
    "faults",
    "gpipe",
    "in_flight",
    "interleaved_1f1b",
    "one_f_one_b",
    "own_stages",
    "run_schedule",
    "simulate",
    "split_batch",
    "validate",
]
