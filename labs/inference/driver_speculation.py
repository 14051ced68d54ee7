"""Task 6: hands distributions, drafts and uniform numbers to the student's code. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray
_choosers: list[Any] = []


def verified(
    program: ModuleType, *, target: Array, draft: Array, drafted: Array, accept_u: Array, sample_u: Array
) -> dict[str, Any]:
    """`verify`; distributions without an axis of rows are the same for every row."""
    rows = len(drafted)
    given = [np.array(np.broadcast_to(one, (rows, *one.shape[-2:]))) for one in (target, draft)]
    given += [drafted.copy(), accept_u.copy(), sample_u.copy()]
    kept = [one.copy() for one in given]
    answer = _pair(program.verify(*given))
    return answer | {"kept": all(map(np.array_equal, given, kept))}


def greedy_verified(program: ModuleType, *, logits: Array, drafted: Array) -> dict[str, Any]:
    """`verify_greedily`."""
    return _pair(program.verify_greedily(logits.copy(), drafted.copy()))


def _pair(found: Any) -> dict[str, Any]:
    accepted, tokens = found
    return {"accepted": np.array(accepted), "tokens": np.array(tokens)}


def generated_greedily(
    program: ModuleType, *, draft: Array, target: Array, prompt: list[int], length: int, gamma: int
) -> dict[str, Any]:
    """`generate` with models that are tables (V, V, V) of logits by the last two tokens, and how often each was called."""
    calls = {"draft": 0, "target": 0, "rows": 0}

    def row(table: Array, tokens: list[int]) -> Array:
        return np.array(table[tokens[-2], tokens[-1]])

    def small(tokens: list[int]) -> Array:
        calls["draft"] += 1
        return row(draft, list(tokens))

    def large(tokens: list[int], count: int) -> Array:
        calls["target"] += 1
        calls["rows"] += count
        known = list(tokens)
        return np.stack([row(target, known[: len(known) - back]) for back in reversed(range(count))])

    tokens = program.generate(small, large, list(prompt), length, gamma)
    return {"tokens": [int(one) for one in tokens]} | calls


def new_chooser(program: ModuleType, *, cost: float, longest: int) -> None:
    """From here on `gamma_choice` asks a fresh chooser."""
    _choosers[:] = [program.GammaChooser(cost, longest)]


def gamma_choice(_: ModuleType, *, observed: list[list[int]]) -> int:
    """Tell what happened, then ask for the next γ."""
    for gamma, accepted in observed:
        _choosers[0].observe(gamma, accepted)
    return int(_choosers[0].choose())
