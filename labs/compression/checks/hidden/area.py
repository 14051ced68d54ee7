"""Task 8: a stored model written out, its bytes, and the area that models dominate."""

from __future__ import annotations

import math
from typing import Any

from stored import Array, looked_at

LOSS = 0.2  # nats added, at the corner that all areas are measured from
HALVINGS = 4.0  # from sixteen bits a weight to one


def written_out(expect: Any, model: Any, weights: dict[str, Array]) -> tuple[dict[str, Array], float]:
    """The weights (out, in) in float32 that a model stands for, by name, and its bytes."""
    expect.that(isinstance(model, dict) and set(model) == set(weights), "a model should have the names of all weights")
    found = {name: looked_at(expect, model[name], one.shape, name) for name, one in weights.items()}
    return {name: one[0] for name, one in found.items()}, sum(one[1] for one in found.values())


def dominated(points: list[tuple[float, float]], full_bytes: float) -> float:
    """The share of the plane, halvings of the bytes times nats, that (bytes, nats added) points dominate; from 0 to 1."""
    area, best = 0.0, LOSS
    # from the smallest model on: between its size and the next one's, the least loss so far counts
    placed = sorted((min(HALVINGS, max(0.0, math.log2(full_bytes / size))), loss) for size, loss in points)[::-1]
    for (halvings, loss), following in zip(placed, [*placed[1:], (0.0, 0.0)], strict=True):
        best = min(best, max(loss, 0.0))
        area += (halvings - following[0]) * (LOSS - best)
    return area / (LOSS * HALVINGS)
