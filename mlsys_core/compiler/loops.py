"""The loops of one stage: how they descend from the axes of its definition, in which order they stand, how long each one is.

Idea      Split and fuse build a forest from axes to loops. No length is a guess: where a factor does not divide, the loop that comes first
          is cut into two ranges, and in each of them the other loop has one known length. So there are tails and no guards, and every
          length in the generated code is a constant.
Equation  split by f:  x = f·x0 + x1, n = q f + r.    x0 first: x0 < q with x1 < f, then x0 = q with x1 < r
                                                      x1 first: x1 < r with x0 < q + 1, then r ≤ x1 < f with x0 < q
          fuse:        z = b·y + x for x < b;         y = z // b, x = z mod b
Paper     J. Ragan-Kelley et al., "Halide", PLDI 2013, section 3.2 (split, reorder, and tails); C. Ancourt, F. Irigoin, "Scanning
          polyhedra with DO loops", PPoPP 1991.
Cost      At most two ranges a split, so 2^s copies of the body for s nested splits that leave a remainder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mlsys_core.compiler.expressions import Const, Expr, Var
from mlsys_core.compiler.ir import Axis, Compute


class ScheduleError(ValueError):
    """The step would change the result, or has no meaning here; the text says why. The schedule is as it was."""


@dataclass(frozen=True)
class Split:
    """A parent loop as an outer loop over blocks of `factor` and an inner loop within a block."""

    outer: str
    inner: str
    factor: int


@dataclass(frozen=True)
class Range:
    """A piece of a loop: where it starts, how long it is, and the extents that it settles for other loops."""

    start: int
    count: int
    settles: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Env:
    """What is known at a point of the nest: loops' values, extents that pieces of loops have settled, and how its variables begin."""

    values: dict[str, Expr] = field(default_factory=dict)
    extents: dict[str, int] = field(default_factory=dict)
    prefix: str = ""

    def inside(self, loop: str, piece: Range) -> Env:
        """Within a piece of a loop: its variable, or its only value."""
        value = Const(piece.start) if piece.count == 1 else Var(self.prefix + loop) + piece.start
        return replace(
            self,
            values={**self.values, loop: value},
            extents={**self.extents, **dict(piece.settles), loop: piece.count},
        )


@dataclass
class Loops:
    """The forest and the order of a stage's loops; `kinds` has those that are not serial."""

    axes: dict[str, Axis]
    order: list[str]
    kinds: dict[str, str] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    fused: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, definition: Compute) -> Loops:
        """One loop an axis, reductions innermost."""
        axes = {axis.name: axis for axis in definition.axes + definition.reduces}
        return cls(axes, list(axes))

    def parent(self, loop: str) -> str | None:
        """The loop that this one was split from."""
        return next((name for name, split in self.splits.items() if loop in {split.outer, split.inner}), None)

    def roots(self, loop: str) -> set[str]:
        """The axes that a loop runs over, whole or in part."""
        if loop in self.axes:
            return {loop}
        if loop in self.fused:
            return self.roots(self.fused[loop][0]) | self.roots(self.fused[loop][1])
        parent = self.parent(loop)
        if parent is None:
            raise ScheduleError(f"There is no loop {loop}; there are {', '.join(self.order)}.")
        return self.roots(parent)

    def reduces(self, loop: str) -> bool:
        """Whether a loop runs over an axis of the reduction."""
        return any(self.axes[root].reduces for root in self.roots(loop))

    def longest(self, loop: str) -> int:
        """The largest extent that a loop has in any piece of the nest."""
        if loop in self.axes:
            return self.axes[loop].extent
        if loop in self.fused:
            return self.longest(self.fused[loop][0]) * self.longest(self.fused[loop][1])
        parent = self.parent(loop)
        assert parent is not None
        split, whole = self.splits[parent], self.longest(parent)
        return min(split.factor, whole) if loop == split.inner else -(-whole // split.factor)

    def extent(self, name: str, env: Env) -> int | None:
        """The extent of a loop, present or split since, at a point of the nest; None where it is not one number there."""
        if name in env.extents:
            return env.extents[name]
        if name in self.axes:
            return self.axes[name].extent
        if name in self.fused:
            a, b = (self.extent(one, env) for one in self.fused[name])
            return None if a is None or b is None else a * b
        parent = self.parent(name)
        assert parent is not None
        whole, split = self.extent(parent, env), self.splits[parent]
        if whole is None or whole % split.factor:
            return None
        return split.factor if name == split.inner else whole // split.factor

    def pieces(self, loop: str, env: Env) -> list[Range]:
        """The ranges that a loop falls into at a point of the nest."""
        known = self.extent(loop, env)
        if known is not None:
            return [Range(0, known)]
        parent = self.parent(loop)
        whole = None if parent is None else self.extent(parent, env)
        if parent is None or whole is None:
            raise ScheduleError(
                f"The length of {loop} is not one number where it stands: it depends on a loop further in that leaves a remainder. "
                "Let the loop that it was split from come first, or choose a factor that divides."
            )
        split = self.splits[parent]
        q, r = divmod(whole, split.factor)
        if loop == split.outer:
            cut = [Range(0, q, ((split.inner, split.factor),)), Range(q, 1, ((split.inner, r),))]
        else:
            cut = [Range(0, r, ((split.outer, q + 1),)), Range(r, split.factor - r, ((split.outer, q),))]
        return [piece for piece in cut if piece.count and all(extent for _, extent in piece.settles)]

    def value(self, name: str, env: Env) -> Expr:
        """An axis, or a loop split since, in terms of the loops that there are."""
        if name in env.values:
            return env.values[name]
        if name in self.splits:
            split = self.splits[name]
            return self.value(split.outer, env) * split.factor + self.value(split.inner, env)
        for z, (y, x) in self.fused.items():
            if name in {y, x}:
                length = self.extent(x, env)
                assert length is not None
                both = self.value(z, env)
                return both // length if name == y else both % length
        raise ScheduleError(f"Nothing gives {name} a value: no loop runs over it here.")

    def walk(self, position: int, env: Env) -> Iterator[Env]:
        """Every way through the pieces of the loops from a position on: raises ScheduleError where a length is not one number."""
        if position == len(self.order):
            yield env
            return
        loop = self.order[position]
        for piece in self.pieces(loop, env):
            yield from self.walk(position + 1, env.inside(loop, piece))
