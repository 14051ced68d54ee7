"""Calls the student's code for the checks of Lab 2, inside the sandbox. It computes no expected values."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from driver_paged import card, decoded, paged_decode, project_decode, run_blocks, timed_decode
from driver_radix import ordered, run_cache
from driver_scheduling import scheduled
from driver_speculation import gamma_choice, generated_greedily, greedy_verified, new_chooser, verified

__all__ = [
    "card",
    "decoded",
    "gamma_choice",
    "generated_greedily",
    "greedy_verified",
    "new_chooser",
    "ordered",
    "paged_decode",
    "predicted",
    "project_decode",
    "run_blocks",
    "run_cache",
    "scheduled",
    "timed_decode",
    "verified",
]


def predicted(program: ModuleType, *, function: str, arguments: dict[str, Any]) -> Any:
    """What the student's `predict_…` says, before anything is run."""
    return getattr(program, function)(**arguments)
