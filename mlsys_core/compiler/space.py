"""Which schedules are tried: a form with blanks for any definition, and how blanks are filled, changed and mixed.

Idea      The form is the one of fast products of matrices: blocks for the caches, a block of registers inside, packed copies between. What
          it leaves open is what depends on the machine: sizes, orders, what is packed and where. For the two last axes of a result and
          the reduction that is all there is; other axes stay outside.
Equation  u.0, v.0, k.0 in any order | u.1.0, v.1.0 in any order | k.1 | u.1.1 unrolled, v.1.1 vectorized
Paper     F. Van Zee, R. van de Geijn, "BLIS", ACM TOMS 41(3), 2015; L. Zheng et al., "Ansor", OSDI 2020 (sketches, mutation, crossover).
Cost      None: a form is a few numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlsys_core.compiler.expressions import loads
from mlsys_core.compiler.ir import Axis, Compute, Tensor
from mlsys_core.compiler.schedule import Schedule

CACHE_BLOCKS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
ROWS = (1, 2, 4, 6, 8, 10, 12, 14, 16)
COLUMNS = (8, 16, 32, 48, 64)
Split = Callable[[str, int], tuple[str, str]]


@dataclass(frozen=True)
class Form:
    """The blanks: cache blocks of u, v and k, the register block, two orders, and for each input how far in it is packed (-1: not)."""

    blocks: tuple[int, int, int]
    rows: int
    columns: int
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    packs: tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """The forms of one definition; what it reads is computed in plain loops where it is no input.

    `parallel` gives the outermost loop to several threads.
    """

    tensor: Tensor
    parallel: bool = False

    @property
    def definition(self) -> Compute:
        """How the elements are defined."""
        assert self.tensor.compute is not None
        return self.tensor.compute

    def inputs(self) -> list[str]:
        """Names of the tensors that an element or a term reads."""
        return list(dict.fromkeys(load.tensor.name for load in loads(self.definition.body)))

    def draw(self, rng: random.Random) -> Form:
        """A form with random blanks."""
        blocks = tuple(rng.choice(CACHE_BLOCKS) for _ in range(3))
        outer, inner = rng.sample(range(3), 3), rng.sample(range(2), 2)
        packs = tuple(rng.randint(-1, 4) for _ in self.inputs())
        return Form(
            (blocks[0], blocks[1], blocks[2]), rng.choice(ROWS), rng.choice(COLUMNS), tuple(outer), tuple(inner), packs
        )

    def mutate(self, form: Form, rng: random.Random) -> Form:
        """The form with one blank filled anew."""
        other, name = self.draw(rng), rng.choice(sorted(vars(form)))
        if name in {"blocks", "packs"}:
            old, at = list(getattr(form, name)), rng.randrange(len(getattr(form, name)))
            old[at] = getattr(other, name)[at]
            return replace(form, **{name: tuple(old)})  # type: ignore[arg-type]
        return replace(form, **{name: getattr(other, name)})

    def cross(self, one: Form, other: Form, rng: random.Random) -> Form:
        """A form that takes each blank from one of two."""
        return replace(one, **{name: getattr(rng.choice((one, other)), name) for name in sorted(vars(one))})

    def schedule(self, form: Form) -> Schedule:
        """The schedule that a form describes. Raises ScheduleError where there is none."""
        schedule = Schedule(self.tensor)
        stage, axes = schedule[self.tensor.name], self.definition.axes
        u, v = (axes[-2] if len(axes) > 1 else None), axes[-1]
        k = max(self.definition.reduces, key=lambda axis: axis.extent, default=None)
        rest = [axis.name for axis in self.definition.reduces if axis is not k]
        blocked = [_blocked(stage.split, axis, size) for axis, size in zip((u, v, k), form.blocks, strict=True)]
        outer = [blocked[i][0] for i in form.outer if blocked[i]]
        register = [_split(stage.split, blocked[0], form.rows), _split(stage.split, blocked[1], form.columns)]
        middle = [register[i][0] for i in form.inner if register[i]]
        terms = [*rest, *blocked[2][1:]]
        last = [pair[1] for pair in register if pair]
        stage.reorder(*(axis.name for axis in axes[:-2]), *outer, *middle, *terms, *last)
        around = [*outer, *middle, *terms[:1]]
        for name, place in zip(self.inputs(), form.packs, strict=True):
            if 0 < place < len(around) and stage.touching(stage.read_of(name), around[place]):
                stage.pack(name, around[place])
        for loop in last[:-1]:
            stage.unroll(loop)
        stage.vectorize(last[-1])
        if terms:
            stage.hold(terms[0])
        if self.parallel and not stage.loops.reduces(stage.order[0]):
            stage.parallel(stage.order[0])
        return schedule


def _blocked(split: Split, axis: Axis | None, size: int) -> tuple[str, ...]:
    """An axis as blocks and places; nothing where there is no axis."""
    return () if axis is None else split(axis.name, min(size, axis.extent))


def _split(split: Split, pair: tuple[str, ...], size: int) -> tuple[str, ...]:
    return split(pair[1], size) if pair else ()
