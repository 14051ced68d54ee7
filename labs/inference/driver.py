"""Calls the student's code for the checks of Lab 2, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from driver_cache import (
    attended,
    cache_trace,
    counted_generation,
    generated,
    predicted_generation,
    rotated,
    token_positions,
)
from driver_flash import flash, project_attention, timed_attention
from driver_paged import card, decoded, paged_decode, project_decode, run_blocks, timed_decode
from driver_radix import ordered, run_cache
from driver_roofline import matmul_loaded, measured_work, rooflines, tile_times, tiles_chosen
from driver_scheduling import scheduled
from driver_speculation import gamma_choice, generated_greedily, greedy_verified, new_chooser, verified
from driver_tiles import logsumexp_of_chunks, merged, peak_of_tiles, tiled

__all__ = [
    "attended",
    "cache_trace",
    "card",
    "counted_generation",
    "decoded",
    "flash",
    "gamma_choice",
    "generated",
    "generated_greedily",
    "greedy_verified",
    "logsumexp_of_chunks",
    "matmul_loaded",
    "measured_work",
    "merged",
    "new_chooser",
    "ordered",
    "paged_decode",
    "peak_of_tiles",
    "predicted",
    "predicted_generation",
    "project_attention",
    "project_decode",
    "rooflines",
    "rotated",
    "run_blocks",
    "run_cache",
    "scheduled",
    "tile_times",
    "tiled",
    "tiles_chosen",
    "timed_attention",
    "timed_decode",
    "token_positions",
    "verified",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)
