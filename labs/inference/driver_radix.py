"""Task 7: runs operations on the student's cache, and asks for orders. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any


def run_cache(program: ModuleType, *, page_size: int, operations: list[list[Any]]) -> list[Any]:
    """What each [method, arguments] returned: a number, a list of numbers, or None."""
    cache, answers = program.RadixCache(page_size), []
    for method, arguments in operations:
        given = [list(one) if isinstance(one, list) else one for one in arguments]
        found = getattr(cache, method)(*given)
        listed = isinstance(found, list | tuple)
        answers.append([int(one) for one in found] if listed else None if found is None else int(found))
    return answers


def ordered(program: ModuleType, *, waiting: list[list[int]], cached: list[int]) -> list[int]:
    """The student's order."""
    return [int(one) for one in program.cache_aware_order([list(one) for one in waiting], list(cached))]
