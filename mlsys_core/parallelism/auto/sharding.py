"""Ways to cut an operator on a mesh of two axes, what each costs, and what it costs to cut a tensor anew.

Idea      Each mesh axis cuts one label of the operator or none. A tensor that has the label is cut along it; one that lacks it is a
          sum over it, forward (the output) or backward (the gradients of the inputs), so its parts are added over that axis.
Equation  all-reduce 2(n-1)(α + β m/n),  all-gather (n-1)(α + β m/n),  all-to-all (n-1)(α + β m/n²) for m bytes of the whole that n
          devices hold together (for all-reduce: m bytes on each)
Paper     L. Zheng et al., "Alpa", OSDI 2022, section 4.1, tables 1-3 (specs, resharding, ways to cut); Y. Xu et al., "GSPMD",
          arXiv 2105.04663.
Cost      (labels + 1)² ways an operator; those whose lengths do not divide are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from mlsys_core.parallelism.auto.graph import FREE, Graph, Op
from mlsys_core.parallelism.communication import Fabric

# for each dimension of a tensor the mesh axes that cut it: () is R, (0,) is S0, (0, 1) is S01
Spec = tuple[tuple[int, ...], ...]
HALF, STATE = 2, 16  # bytes of an activation, and of a parameter with its gradient and Adam's states


@dataclass(frozen=True)
class Grid:
    """Devices in rows and columns: the length and the network of each axis, FLOP/s and bytes of a device."""

    shape: tuple[int, int]
    fabrics: tuple[Fabric, Fabric]
    flops: float
    memory: float = float("inf")

    def all_reduce(self, size: float, axis: int) -> float:
        """Seconds to sum `size` bytes on each device of an axis."""
        return 2 * self.all_gather(size, axis)

    def all_gather(self, size: float, axis: int) -> float:
        """Seconds until each device of an axis has `size` bytes, of which it had its part."""
        n, fabric = self.shape[axis], self.fabrics[axis]
        return (n - 1) * (fabric.alpha_s + fabric.beta_s * size / n)

    def all_to_all(self, size: float, axis: int) -> float:
        """Seconds to cut `size` bytes along another dimension than before."""
        n, fabric = self.shape[axis], self.fabrics[axis]
        return (n - 1) * (fabric.alpha_s + fabric.beta_s * size / n / n)

    def parts(self, axes: tuple[int, ...]) -> int:
        """Into how many parts axes cut."""
        return prod(self.shape[axis] for axis in axes)


@dataclass(frozen=True)
class Strategy:
    """A way to cut an operator: the label of each mesh axis ("" for none), the specs of its tensors, and what it costs.

    compute, talk   seconds of the forward and backward pass on a device, and in all-reduces
    weights, kept   bytes on a device: of parameters with all their states, and of the output, kept for the backward pass
    """

    cut: tuple[str, str]
    inputs: tuple[Spec, ...]
    output: Spec
    compute: float
    talk: float
    weights: float
    kept: float

    @property
    def seconds(self) -> float:
        """In all."""
        return self.compute + self.talk


def spec_name(spec: Spec) -> str:
    """As Alpa writes it: R for a whole dimension, S0, S1 or S01 for one that is cut."""
    return " ".join("S" + "".join(map(str, axes)) if axes else "R" for axes in spec)


def strategies(graph: Graph, op: Op, grid: Grid) -> list[Strategy]:
    """Every way to cut an operator that divides its lengths; an axis of one device cuts nothing."""
    labels = ["", *(label for label in op.labels if label not in op.whole)]
    free = [labels if length > 1 else [""] for length in grid.shape]
    cuts = product(*free) if op.pinned is None else [op.pinned]
    return [_strategy(graph, op, grid, cut) for cut in cuts if _divides(graph, grid, cut)]  # type: ignore[arg-type]


def _divides(graph: Graph, grid: Grid, cut: tuple[str, str]) -> bool:
    return all(not label or graph.sizes[label] % grid.parts(_axes(label, cut)) == 0 for label in cut)


def _axes(label: str, cut: tuple[str, str]) -> tuple[int, ...]:
    return tuple(axis for axis in (0, 1) if cut[axis] == label)


def _strategy(graph: Graph, op: Op, grid: Grid, cut: tuple[str, str]) -> Strategy:
    def bytes_of(labels: str, each: int = HALF) -> float:
        return each * graph.elements(labels) / prod(grid.parts(_axes(label, cut)) for label in labels)

    def added(labels: str) -> float:
        """Seconds to add the parts of a tensor over the axes whose label it lacks."""
        axes = [axis for axis in (0, 1) if cut[axis] and cut[axis] not in labels]
        return sum(grid.all_reduce(bytes_of(labels), axis) for axis in axes)

    places = list(zip(op.inputs, op.operands, strict=True))
    # data has no gradient
    wanted = [labels for place, (source, labels) in enumerate(places) if source != FREE or place in op.weights]
    return Strategy(
        cut=cut,
        inputs=tuple(tuple(_axes(label, cut) for label in labels) for labels in op.operands),
        output=tuple(_axes(label, cut) for label in op.output),
        compute=graph.flops(op) / prod(grid.parts(_axes(label, cut)) for label in op.labels) / grid.flops,
        talk=added(op.output) + sum(added(labels) for labels in wanted),
        weights=sum(bytes_of(op.operands[place], STATE) for place in op.weights),
        kept=bytes_of(op.output),
    )


def reshard_cost(size: float, source: Spec, target: Spec, grid: Grid) -> float:
    """Seconds to bring a tensor of `size` bytes from one spec to another: gathers and exchanges; cutting further is free."""
    seconds, held, wanted = 0.0, _places(source, grid), _places(target, grid)
    # parts cut by axis 1 inside parts cut by axis 0 move when axis 0 comes or goes
    for axis in (1, 0):
        if axis not in held:
            continue
        stays = wanted.get(axis) == held[axis]
        if stays and (axis == 0 or (held.get(0) == held[1]) == (wanted.get(0) == held[1])):
            continue
        others = prod(grid.shape[other] for other in held if other != axis)
        alone = held[axis] != held.get(1 - axis)
        if axis in wanted and not stays and alone and wanted[axis] not in {held.get(1 - axis), wanted.get(1 - axis)}:
            seconds += grid.all_to_all(size / others, axis)
            held[axis] = wanted[axis]
        else:
            seconds += grid.all_gather(size / others, axis)
            del held[axis]
    return seconds


def _places(spec: Spec, grid: Grid) -> dict[int, int]:
    """Which dimension each mesh axis cuts; an axis of one device cuts nothing."""
    return {axis: place for place, axes in enumerate(spec) for axis in axes if grid.shape[axis] > 1}
