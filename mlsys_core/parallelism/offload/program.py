"""What lives where if everything overlapped: an integer program with one choice a layer, solved by HiGHS.

Idea      When compute and both directions of the link all work at once, a step takes as long as its busiest resource. That is
          linear in the choices, and so is memory; buffers, which the largest layer needs, are variables of their own.
Equation  min T   subject to   Σ_l load(l, x_l, r) ≤ T for each resource r,   Σ_l bytes(l, x_l) + Σ_k B_k ≤ memory,
          B_k ≥ share_k(l, x_l) for each layer,   Σ_c x_lc = 1,   x ∈ {0, 1}
Paper     Y. Sheng et al., "FlexGen", ICML 2023, section 4 (a linear program for what lives where); Q. Huangfu, J. Hall,
          "Parallelizing the dual revised simplex method", Mathematical Programming Computation 10, 2018 (HiGHS).
Cost      5 L binary variables and 4 continuous ones for L layers; memory 5 + 3 · 5 L rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from mlsys_core.parallelism.offload.step import (
    RESOURCES,
    Choice,
    Layer,
    Machine,
    buffer_shares,
    bytes_on_gpu,
    load,
)

CHOICES = tuple(Choice)
NODES = 1000
TOLERANCE = 1e-5  # the solver holds its constraints to 1e-6, so it is given a little less memory than there is
Choices = tuple[Choice, ...]


class _Rows:
    """Constraints low ≤ a · x ≤ high, collected one by one."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.rows: list[tuple[list[float], float, float]] = []

    def add(self, entries: dict[int, float], low: float, high: float) -> None:
        row = [0.0] * self.width
        for column, value in entries.items():
            row[column] = value
        self.rows.append((row, low, high))

    def constraint(self) -> LinearConstraint:
        return LinearConstraint(*(np.array(part) for part in zip(*self.rows, strict=True)))


def bound(machine: Machine, layers: Sequence[Layer], choices: Choices) -> float:
    """Seconds of the busiest resource; a step is never shorter."""
    loads = [load(machine, layers, number, choice) for number, choice in enumerate(choices)]
    return max(sum(each[resource] for each in loads) for resource in RESOURCES)


def overlapped(machine: Machine, layers: Sequence[Layer], distance: int = 1) -> Choices | None:
    """The choices with the smallest `bound` among those that fit the memory; None where none fit.

    The solver looks at 1,000 nodes of its search at most, which is plenty for a dozen different layers."""
    places = [(n, c) for n in range(len(layers)) for c in range(len(CHOICES))]
    column = {place: number for number, place in enumerate(places)}
    buffers = [len(places) + kind for kind in range(3)]
    longest = len(places) + 3
    rows = _Rows(longest + 1)
    for n in range(len(layers)):
        rows.add({column[n, c]: 1.0 for c in range(len(CHOICES))}, 1, 1)
    # bytes are counted in memories and seconds in the resident step, so that coefficients are near 1
    kept = sum(layer.activations for layer in layers) / machine.memory
    held = {column[n, c]: bytes_on_gpu(layers[n], CHOICES[c]) / machine.memory for n, c in places}
    rows.add({**held, **dict.fromkeys(buffers, 1.0)}, -np.inf, 1 - TOLERANCE - kept)
    for n, c in places:
        for buffer, share in zip(buffers, buffer_shares(layers[n], CHOICES[c], distance), strict=True):
            if share:
                rows.add({column[n, c]: share / machine.memory, buffer: -1.0}, -np.inf, 0)
    unit = bound(machine, layers, (Choice.RESIDENT,) * len(layers))
    loads = {(n, c): load(machine, layers, n, CHOICES[c]) for n, c in places}
    for resource in RESOURCES:
        rows.add({**{column[at]: loads[at][resource] / unit for at in places}, longest: -1.0}, -np.inf, 0)
    found = milp(
        [0.0] * longest + [1.0],
        integrality=[1] * len(places) + [0] * 4,
        bounds=Bounds(0, [1.0] * len(places) + [np.inf] * 4),
        constraints=rows.constraint(),
        # many equal layers have many equal plans, which no solver tells apart quickly: it stops after so many nodes
        options={"mip_rel_gap": 0.0, "node_limit": NODES},
    )
    if found.x is None:
        return None
    picked = np.reshape(found.x[: len(places)], (len(layers), len(CHOICES))).argmax(axis=1)
    return tuple(CHOICES[c] for c in picked)
