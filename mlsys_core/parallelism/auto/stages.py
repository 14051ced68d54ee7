"""Between meshes: which layers form a stage and how many devices it gets, so that a pipeline of all stages ends first.

Idea      A pipeline of B micro-batches takes one pass through all stages and then B - 1 times its slowest stage. Guess the slowest
          stage's time; with that limit, the rest is to cut layers and devices so that the sum is least, which dynamic programming
          does. Of all guesses, each the time of some stage, the best is the answer.
Equation  T = Σ_i t_i + (B-1) max_i t_i;   F(s, k, d) = min over i, mesh of t(k … i, mesh) + F(s-1, i+1, d - |mesh|), t ≤ t_max
Paper     L. Zheng et al., "Alpa", OSDI 2022, section 5 (equations 2-4, t_max enumeration, sub-mesh shapes, theorem 1).
Cost      O(L² · meshes) stage times and for each t_max O(L³ D · meshes); guesses that cannot beat the best are not tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

Mesh2D = tuple[int, int]  # nodes, devices of each
# (first layer, one behind the last, mesh, stages from this one to the end) -> seconds, infinite where it does not fit
StageTime = Callable[[int, int, Mesh2D, int], float]
INFINITE = float("inf")


@dataclass(frozen=True)
class Stage:
    """Layers first … last - 1 on a mesh, and the seconds of one micro-batch, forward and backward."""

    first: int
    last: int
    mesh: Mesh2D
    seconds: float


@dataclass(frozen=True)
class Pipeline:
    """Stages in order, and the micro-batches that run through them."""

    stages: tuple[Stage, ...]
    micro_batches: int

    @property
    def seconds(self) -> float:
        """Σ t + (B-1) max t."""
        times = [stage.seconds for stage in self.stages]
        return sum(times) + (self.micro_batches - 1) * max(times)


def submeshes(nodes: int, devices: int) -> list[Mesh2D]:
    """Shapes that a stage may have: a power of two of one node's devices, or whole nodes; such shapes always tile the cluster."""
    inside = [(1, 2**power) for power in range(devices.bit_length()) if 2**power < devices]
    return [*inside, *((count, devices) for count in range(1, nodes + 1))]


def slice_stages(layers: int, nodes: int, devices: int, micro_batches: int, time: StageTime) -> Pipeline | None:
    """The pipeline with the least T that uses every device; None where no stages fit. `devices` of a node is a power of two."""
    if devices & (devices - 1):
        raise ValueError(f"A node of {devices} devices cannot be halved: its sub-meshes need a power of two.")
    meshes = submeshes(nodes, devices)
    timed = cache(time)
    guesses = {
        timed(first, last, mesh, depth)
        for first in range(layers)
        for last in range(first + 1, layers + 1)
        for mesh in meshes
        for depth in range(1, layers - last + 2)
    }
    best: Pipeline | None = None
    for limit in sorted(guesses - {INFINITE}):
        # one stage takes the limit and the others something: no later guess can be better
        if best is not None and micro_batches * limit >= best.seconds:
            break
        found = _least_sum(layers, nodes * devices, meshes, timed, limit)
        if found is not None:
            pipeline = Pipeline(found, micro_batches)
            best = pipeline if best is None or pipeline.seconds < best.seconds else best
    return best


def _least_sum(
    layers: int, devices: int, meshes: Sequence[Mesh2D], time: StageTime, limit: float
) -> tuple[Stage, ...] | None:
    """The stages with the least Σ t among those that each take `limit` at most and together all devices."""

    @cache
    def least(depth: int, first: int, left: int) -> tuple[float, tuple[Stage, ...]]:
        if depth == 0:
            return (0.0, ()) if first == layers and left == 0 else (INFINITE, ())
        best: tuple[float, tuple[Stage, ...]] = (INFINITE, ())
        for last in range(first + 1, layers - depth + 2):
            for mesh in meshes:
                seconds = time(first, last, mesh, depth) if mesh[0] * mesh[1] <= left else INFINITE
                if seconds <= limit:
                    rest, stages = least(depth - 1, last, left - mesh[0] * mesh[1])
                    if seconds + rest < best[0]:
                        best = (seconds + rest, (Stage(first, last, mesh, seconds), *stages))
        return best

    total, stages = min((least(depth, 0, devices) for depth in range(1, layers + 1)), key=lambda found: found[0])
    return stages if total < INFINITE else None


def equal_layers(layers: int, nodes: int, devices: int, micro_batches: int, time: StageTime) -> Pipeline | None:
    """The best pipeline whose stages all have as many layers and devices as each other; what is done by hand."""
    return equal_operators([1] * layers, nodes, devices, micro_batches, time)


def equal_operators(
    operators: Sequence[int], nodes: int, devices: int, micro_batches: int, time: StageTime
) -> Pipeline | None:
    """The same with as equal numbers of operators as whole layers allow; `operators` counts those of each layer."""
    found = []
    for mesh in submeshes(nodes, devices):
        count = nodes * devices // (mesh[0] * mesh[1])
        if nodes * devices % (mesh[0] * mesh[1]) or count > len(operators):
            continue
        edges = _even_edges(operators, count)
        stages = tuple(
            Stage(first, last, mesh, time(first, last, mesh, count - number))
            for number, (first, last) in enumerate(pairwise(edges))
        )
        if all(stage.seconds < INFINITE for stage in stages):
            found.append(Pipeline(stages, micro_batches))
    return min(found, key=lambda pipeline: pipeline.seconds, default=None)


def _even_edges(operators: Sequence[int], count: int) -> list[int]:
    """Where to cut so that each part ends as near as possible to its even share, with a layer at least."""
    total, edges = sum(operators), [0]
    for part in range(1, count):
        allowed = range(edges[-1] + 1, len(operators) - (count - part) + 1)
        edges.append(min(allowed, key=lambda edge, part=part: abs(sum(operators[:edge]) - total * part / count)))  # type: ignore[misc]
    return [*edges, len(operators)]
