"""Task 5: asks the student's scheduler for one batch at a time. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def scheduled(program: ModuleType, *, requests: list[list[int]], limits: dict[str, int]) -> dict[str, list[Any]]:
    """The batch for one state, as plain lists; a request is [number, tokens, cached, generated]."""
    state = program.State(requests=tuple(program.Request(*one) for one in requests), **limits)
    batch = program.schedule(state)
    chunks = [[int(one) for one in chunk] for chunk in batch.chunks]
    return {"chunks": chunks, "preempt": [int(one) for one in batch.preempt]}
