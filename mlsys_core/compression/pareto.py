"""What is worth having among many ways to be smaller: points that no other beats in everything, and how much they cover.

Idea      A compressed model has bytes, a perplexity and a speed, and no order of its own: one is smaller, another better. A point that
          another one beats or equals in everything, and beats in something, is out of the question; those that are left are the front.
          One number says how good a front is: the volume of all that is worse than some point of it, up to a reference.
Equation  a dominates b: a_i ≤ b_i for all i, and a_i < b_i for some;   HV = volume of ∪_a [a, r]
Paper     E. Zitzler, L. Thiele, "Multiobjective evolutionary algorithms: a comparative case study and the strength Pareto approach",
          IEEE Transactions on Evolutionary Computation 3, 1999 (the measure).
Cost      Front: n² d comparisons. Volume: n log n in two dimensions, and n times that for each dimension more, since it is cut into
          slabs along the last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlsys_core.papers.study import Figure, Line

Costs: TypeAlias = npt.NDArray[np.float64]  # (n, d), less is better


def dominates(costs: Costs) -> npt.NDArray[np.bool_]:
    """Of points (n, d), less being better: [i, j] says whether i dominates j. Equal points do not dominate one another."""
    a, b = costs[:, None], costs[None]
    return np.logical_and((a <= b).all(-1), (a < b).any(-1))


def dominated(costs: Costs) -> npt.NDArray[np.bool_]:
    """Which of the points (n, d) another one dominates: (n,)."""
    return np.asarray(dominates(costs).any(0))


def hypervolume(costs: Any, reference: Sequence[float]) -> float:
    """The volume of what is no better than the reference (d,) and no worse than some point of costs (n, d), exactly.

    A point that is not better than the reference in everything covers nothing. Raises ValueError for numbers that are not finite or of
    another dimension.
    """
    points, bound = np.asarray(costs, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if points.size and points.shape != (len(points), len(bound)):
        raise ValueError(f"Points {points.shape} are not measured in {len(bound)} dimensions, as the reference is.")
    points = points.reshape(-1, len(bound))
    if not (np.isfinite(points).all() and np.isfinite(bound).all()):
        raise ValueError(
            "A volume is of finite numbers: leave out the points that have none, and give a finite reference."
        )
    return _volume(points[(points < bound).all(1)], bound)


def _volume(points: Costs, bound: Costs) -> float:
    """Slabs along the last dimension, each as thick as the way to the next point, over all points up to it."""
    if not len(points):
        return 0.0
    points = points[points[:, -1].argsort(kind="stable")]
    thick = np.diff(points[:, -1], append=bound[-1])
    if len(bound) == 1:
        return float(bound[0] - points[0, 0])
    if len(bound) == 2:
        return float((bound[0] - np.minimum.accumulate(points[:, 0])) @ thick)
    return sum(_volume(points[: i + 1, :-1], bound[:-1]) * float(t) for i, t in enumerate(thick) if t)


@dataclass(frozen=True)
class Axis:
    """What is measured, with its unit; `more` where more is better."""

    name: str
    more: bool = False


@dataclass(frozen=True)
class Point:
    """One way to do it: its family, what sets it apart within that, and a number for each axis."""

    family: str
    label: str
    values: tuple[float, ...]

    @property
    def name(self) -> str:
        """Family and label."""
        return f"{self.family} {self.label}".strip()


@dataclass(frozen=True)
class Explorer:
    """Points over the same axes, each with a name of its own."""

    axes: tuple[Axis, ...]
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        wrong = [point.name for point in self.points if len(point.values) != len(self.axes)]
        if wrong:
            raise ValueError(
                f"There are {len(self.axes)} axes, and other numbers of values at {wrong}: give one an axis."
            )
        if not np.isfinite([point.values for point in self.points]).all():
            raise ValueError("A point lies at finite numbers: leave out what could not be measured.")
        names = [point.name for point in self.points]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Several points are named {twice}: give each a name or a label of its own.")

    @classmethod
    def of(cls, axes: Sequence[Axis], candidates: Iterable[tuple[str, *tuple[float, ...]]]) -> Explorer:
        """Of any list of candidates: a name, and a number for each axis."""
        return cls(tuple(axes), tuple(Point(name, "", tuple(values)) for name, *values in candidates))

    def costs(self, axes: Sequence[int] | None = None) -> Costs:
        """Points (n, d) along all axes or some, less being better: what is better when it is more, below zero."""
        chosen = range(len(self.axes)) if axes is None else axes
        signs = np.array([-1.0 if self.axes[i].more else 1.0 for i in chosen])
        values = np.array([[point.values[i] for i in chosen] for point in self.points])
        return np.asarray(values.reshape(-1, len(signs)) * signs)

    def front(self, axes: Sequence[int] | None = None) -> tuple[Point, ...]:
        """Points that no other dominates, along all axes or some."""
        out = dominated(self.costs(axes))
        return tuple(point for point, beaten in zip(self.points, out, strict=True) if not beaten)

    def beaten(self, axes: Sequence[int] | None = None) -> dict[str, list[str]]:
        """By name, of each point that is out of the question, those that dominate it, along all axes or some."""
        by = dominates(self.costs(axes))
        names = [point.name for point in self.points]
        return {name: [names[i] for i in np.flatnonzero(by[:, j])] for j, name in enumerate(names) if by[:, j].any()}

    def hypervolume(self, reference: Sequence[float], axes: Sequence[int] | None = None) -> float:
        """The volume up to a reference that has the units of the axes, a number for each that is chosen."""
        chosen = range(len(self.axes)) if axes is None else axes
        signs = [-1.0 if self.axes[i].more else 1.0 for i in chosen]
        if len(reference) != len(signs):
            raise ValueError(
                f"A reference of {len(reference)} numbers bounds no volume over {len(signs)} axes: give one an axis."
            )
        return hypervolume(self.costs(axes), [s * r for s, r in zip(signs, reference, strict=True)])

    def contributions(self, reference: Sequence[float], axes: Sequence[int] | None = None) -> dict[str, float]:
        """By name, the volume that would be lost without each point of the front."""
        whole = self.hypervolume(reference, axes)
        rest = {
            one.name: Explorer(self.axes, tuple(p for p in self.points if p is not one)) for one in self.front(axes)
        }
        return {name: whole - others.hypervolume(reference, axes) for name, others in rest.items()}

    def table(self, digits: Sequence[int]) -> list[str]:
        """Lines of text: a point each, in the order of the first axis, those of the front marked; `digits` after the point by axis."""
        best = set(self.front())
        rows = [["", "", *(axis.name for axis in self.axes)]]
        for point in sorted(self.points, key=lambda p: p.values[0]):
            numbers = (f"{value:,.{d}f}" for value, d in zip(point.values, digits, strict=True))
            rows.append(["*" if point in best else "", point.name, *numbers])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(_padded(row, widths)) for row in rows]

    def figure(self, title: str, x: int = 0, y: int = 1, *, log_x: bool = False) -> Figure:
        """Two axes as curves: a family each, and the front of these two, all with x rising."""
        front = self.front((x, y))
        families = dict.fromkeys(point.family for point in self.points)
        lines = [_line(family, [p for p in self.points if p.family == family], x, y) for family in families]
        names = [point.name for point in sorted(front, key=lambda p: p.values[x])]
        says = f"{len(front)} of {len(self.points)} are worth having: {', '.join(names)}."
        return Figure(
            title,
            self.axes[x].name,
            self.axes[y].name,
            (_line("worth having", front, x, y), *lines),
            says,
            log_x=log_x,
        )


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Cells of a line: the mark and the name to the left, numbers to the right."""
    return [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]


def _line(label: str, points: Sequence[Point], x: int, y: int) -> Line:
    return Line(label, tuple(sorted((point.values[x], point.values[y]) for point in points)))
