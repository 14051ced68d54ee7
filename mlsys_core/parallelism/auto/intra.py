"""Inside a mesh: one way to cut each operator, so that work, sums and re-cutting take least time and all fits; by integer program.

Idea      Choosing one of k ways is a one-hot vector. What an edge costs depends on two choices, a product of two vectors; it becomes
          linear by a variable for each pair of choices, whose rows and columns must sum to the two vectors.
Equation  min Σ_v s_v · c_v + Σ_vu e_vu · R_vu   subject to   s_v one-hot,   Σ_j e_vu[i, j] = s_v[i],   Σ_i e_vu[i, j] = s_u[j],
          Σ_v s_v · m_v ≤ memory
Paper     L. Zheng et al., "Alpa", OSDI 2022, section 4.2, equation 1.
Cost      Σ_v k_v binary variables and Σ_vu k_v k_u continuous ones; on a chain without a memory limit the relaxation is already whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from mlsys_core.parallelism.auto.graph import FREE, Graph
from mlsys_core.parallelism.auto.sharding import HALF, Grid, Spec, Strategy, reshard_cost, strategies

TOLERANCE = 1e-5  # the solver holds its constraints to 1e-6, so it is given a little less memory than there is


@dataclass
class Problem:
    """Seconds and bytes of each way of each node, and of each edge (v, u) the seconds of every pair of ways."""

    seconds: list[list[float]]
    bytes: list[list[float]]
    edges: dict[tuple[int, int], list[list[float]]] = field(default_factory=dict)

    def cost(self, ways: Sequence[int]) -> float:
        """Seconds of a choice of one way a node."""
        own = sum(each[way] for each, way in zip(self.seconds, ways, strict=True))
        return own + sum(matrix[ways[v]][ways[u]] for (v, u), matrix in self.edges.items())

    def memory(self, ways: Sequence[int]) -> float:
        """Bytes of a choice."""
        return sum(each[way] for each, way in zip(self.bytes, ways, strict=True))


@dataclass(frozen=True)
class Assignment:
    """What was chosen for each operator, by name, the seconds of it all, and bytes of weights and of kept activations."""

    ways: dict[str, Strategy]
    seconds: float
    weights: float
    kept: float


class _Program:
    """Rows of a sparse constraint matrix."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, columns: dict[int, float], low: float, high: float) -> None:
        self.entries += [(len(self.low), column, value) for column, value in columns.items()]
        self.low.append(low)
        self.high.append(high)

    def constraint(self, width: int) -> LinearConstraint:
        rows, columns, values = zip(*self.entries, strict=True)
        matrix = coo_array((values, (rows, columns)), shape=(len(self.low), width))
        return LinearConstraint(matrix.tocsr(), self.low, self.high)


def solve(problem: Problem, memory: float = float("inf")) -> list[int] | None:
    """The cheapest choice of one way a node within `memory` bytes; None where none fits."""
    program, costs = _Program(), [second for each in problem.seconds for second in each]
    begins = np.cumsum([0, *(len(each) for each in problem.seconds)]).tolist()
    binary = len(costs)
    for v, each in enumerate(problem.seconds):
        program.add({begins[v] + way: 1.0 for way in range(len(each))}, 1, 1)
    if memory < float("inf"):
        sizes = [size / memory for each in problem.bytes for size in each]
        program.add(dict(enumerate(sizes)), -np.inf, 1 - TOLERANCE)
    for (v, u), matrix in problem.edges.items():
        at, (height, width) = len(costs), np.shape(matrix)
        costs += [second for row in matrix for second in row]
        for i in range(height):
            program.add({begins[v] + i: -1.0} | {at + i * width + j: 1.0 for j in range(width)}, 0, 0)
        for j in range(width):
            program.add({begins[u] + j: -1.0} | {at + i * width + j: 1.0 for i in range(height)}, 0, 0)
    found = milp(
        np.array(costs) / (max(costs) or 1.0),
        integrality=[1] * binary + [0] * (len(costs) - binary),
        bounds=Bounds(0, 1),
        constraints=program.constraint(len(costs)),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    return [int(np.argmax(found.x[begins[v] : begins[v + 1]])) for v in range(len(problem.seconds))]


def problem_of(graph: Graph, grid: Grid, in_flight: int = 1) -> tuple[Problem, list[list[Strategy]]]:
    """The integer program of a graph on a grid; activations are kept for `in_flight` micro-batches.

    An edge costs what its tensor costs to cut anew on the way forward, and its gradient on the way back.
    """
    ways = [strategies(graph, op, grid) for op in graph.ops]
    seconds = [[way.seconds for way in each] for each in ways]
    sizes = [[way.weights + in_flight * way.kept for way in each] for each in ways]
    problem = Problem(seconds, sizes)
    number = {op.name: v for v, op in enumerate(graph.ops)}
    for u, op in enumerate(graph.ops):
        for place, source in enumerate(op.inputs):
            if source == FREE:
                continue
            v, size = number[source], HALF * graph.elements(op.operands[place])
            matrix = np.array([[_edge(size, a, b, place, grid) for b in ways[u]] for a in ways[v]])
            before = problem.edges.get((v, u))
            problem.edges[v, u] = (matrix if before is None else matrix + before).tolist()
    return problem, ways


def _edge(size: int, source: Strategy, target: Strategy, place: int, grid: Grid) -> float:
    return _there_and_back(size, source.output, target.inputs[place], grid)


@lru_cache(maxsize=4096)  # ways to cut are many, and their specs are few
def _there_and_back(size: int, made: Spec, used: Spec, grid: Grid) -> float:
    return reshard_cost(size, made, used, grid) + reshard_cost(size, used, made, grid)


def shard(graph: Graph, grid: Grid, in_flight: int = 1, memory: float | None = None) -> Assignment | None:
    """The cheapest way to run a graph on a grid within `memory` bytes (of a device, if none is given); None where none fits."""
    problem, ways = problem_of(graph, grid, in_flight)
    picked = solve(problem, grid.memory if memory is None else memory)
    if picked is None:
        return None
    chosen = {op.name: each[way] for op, each, way in zip(graph.ops, ways, picked, strict=True)}
    weights, kept = (sum(getattr(way, kind) for way in chosen.values()) for kind in ("weights", "kept"))
    return Assignment(chosen, problem.cost(picked), weights, kept)
