"""Layers on different ranks. Read `schedule`, `validate` and `simulate`, then `stage` and `runtime`; `draw` shows what happens."""

from __future__ import annotations

from mlsys_core.parallelism.pipeline.draw import draw_svg, draw_text
from mlsys_core.parallelism.pipeline.runtime import Outcome, run_schedule, split_batch
from mlsys_core.parallelism.pipeline.schedule import (
    Action,
    Kind,
    Schedule,
    bubble_cost,
    gpipe,
    interleaved_1f1b,
    message_bytes_cost,
    one_f_one_b,
)
from mlsys_core.parallelism.pipeline.simulate import Durations, Timeline, durations, equal_stages, simulate
from mlsys_core.parallelism.pipeline.stage import Stage, cut, own_stages, sum_tied_gradients
from mlsys_core.parallelism.pipeline.validate import ScheduleError, faults, in_flight, run_order, validate
from mlsys_core.parallelism.pipeline.zero_bubble import zero_bubble_cost, zero_bubble_h1

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
    "draw_svg",
    "draw_text",
    "durations",
    "equal_stages",
    "faults",
    "gpipe",
    "in_flight",
    "interleaved_1f1b",
    "message_bytes_cost",
    "one_f_one_b",
    "own_stages",
    "run_order",
    "run_schedule",
    "simulate",
    "split_batch",
    "sum_tied_gradients",
    "validate",
    "zero_bubble_cost",
    "zero_bubble_h1",
]
