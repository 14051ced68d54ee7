"""Calls the student's code for the checks of Lab 2, inside the sandbox. It computes no expected values.

Every function takes `program`, the namespace that the notebook filled, and plain data: arrays, numbers, text, lists, dicts. The functions
stand in the files beside this one, by task.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from driver_cache import (
    attended,
    cache_trace,
    counted_generation,
    generated,
    predicted_generation,
    rotated,
    token_positions,
)
from driver_flash import flash, timed_attention
from driver_roofline import matmul_loaded, measured_work, rooflines, tile_times, tiles_chosen
from driver_tiles import logsumexp_of_chunks, merged, peak_of_tiles, tiled

if TYPE_CHECKING:
    from grader.inside import timing

__all__ = [
    "attended",
    "cache_trace",
    "counted_generation",
    "flash",
    "generated",
    "logsumexp_of_chunks",
    "matmul_loaded",
    "measured_work",
    "merged",
    "peak_of_tiles",
    "predicted",
    "predicted_generation",
    "project",
    "rooflines",
    "rotated",
    "tiled",
    "tile_times",
    "tiles_chosen",
    "timed",
    "token_positions",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)


TIMED = {"attention": timed_attention}


def timed(program: ModuleType, *, seed: int, audit: bool, what: str, **arguments: Any) -> dict[str, Any]:
    """One timed call on a GPU, of one of TIMED: what it claims to have taken, and what shows whether that can be."""
    function, shapes = TIMED[what](program, **arguments)
    return timing.timed(function, timing.draw(seed, shapes, "float16", "cuda"), seed, audit=audit)


def project(program: ModuleType, *, seed: int, salt: int) -> list[float]:  # noqa: ARG001
    """Random projections of a timed call's output."""
    return timing.project(seed, salt)
