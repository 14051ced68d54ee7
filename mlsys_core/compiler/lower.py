"""From schedules to loop nests: loops in their order, and around them what the schedule keeps there.

Idea      A buffer around a loop is indexed by the loops inside it that touch it, in their order. So what is packed is read from first to
          last without a jump, and a reduction's elements are held in as many names as its unrolled loops and lanes have places. Filling
          and emptying a buffer are nests over the same loops, cut into the same ranges.
Equation  around loop l:  buf[l, l', …] = X[index(l, l', …)];   the nest with buf for X;   X[index] = buf where it was written
Paper     K. Goto, R. van de Geijn, ACM TOMS 34(3), 2008; F. Van Zee, R. van de Geijn, "BLIS", ACM TOMS 41(3), 2015 (packed panels);
          T. Chen et al., "TVM", OSDI 2018 (cache_read, cache_write).
Cost      A pass over the buffer each time its loop is entered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from mlsys_core.compiler.expressions import Binary, Expr, Load, Var, loads, rewrite, variables
from mlsys_core.compiler.ir import For, Local, Program, Stmt, Store, Tensor
from mlsys_core.compiler.loops import Env, ScheduleError
from mlsys_core.compiler.place import Place, definition, identity
from mlsys_core.compiler.stage import Stage

LARGEST_REGISTERS = 4096  # bytes that `hold` keeps under names; more are a buffer


Leaf = Callable[[Place], Stmt]


def lower(stages: Mapping[str, Stage], inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], name: str) -> Program:
    """The program of these stages, which stand in an order in which they can be computed."""
    lowering, body = _Lowering(stages), list[Stmt]()
    for stage in stages.values():
        if stage.attached is None:
            body += lowering.nest(stage, 0, Place())
    written = tuple(s.tensor for s in stages.values() if s.attached is None and s.tensor not in outputs)
    _check_reads(tuple(body), frozenset(t.name for t in inputs + outputs + written))
    return Program(name, inputs, outputs, written, tuple(body))


def _check_reads(body: tuple[Stmt, ...], known: frozenset[str]) -> None:
    """What is computed at a loop exists there and nowhere else."""
    for s in body:
        if isinstance(s, Store):
            for load in [Load(s.tensor, s.index), *loads(s.value)]:
                if load.tensor.name not in known:
                    raise ScheduleError(
                        f"{load.tensor.name} is read where it is not computed: leave the loop that it is computed at as it is, "
                        "and pack nothing of it."
                    )
        else:
            _check_reads(s.body, known | {s.tensor.name} if isinstance(s, Local) else known)


class _Lowering:
    def __init__(self, stages: Mapping[str, Stage]) -> None:
        self.stages = stages

    def nest(self, stage: Stage, position: int, place: Place) -> list[Stmt]:
        """The loops of a stage from a position on, with all that stands around them."""
        if position == len(stage.order):
            return [self.term(stage, place)]
        loop = stage.order[position]
        here = [s for s in self.stages.values() if s.attached == (stage.tensor.name, loop)]
        return self.attached(stage, here, position, place) if here else self.packed(stage, position, place)

    def attached(self, stage: Stage, producers: list[Stage], position: int, place: Place) -> list[Stmt]:
        """What is computed at this loop, then the loop."""
        fixed, envs = {stage.tensor.name: self.fixed_axes(stage, place)}, dict[str, Env]()
        for producer in reversed(producers):
            axes, name = definition(producer).axes, producer.tensor.name
            known = self.fixed_index(producer, [stage, *producers], fixed)
            fixed[name] = {axis.name: e for axis, e in zip(axes, known, strict=True) if e is not None}
            envs[name] = Env(fixed[name], dict.fromkeys(fixed[name], 1), f"{name}.")
            kept = tuple(d for d, e in enumerate(known) if e is None)
            shape = tuple(producer.tensor.shape[d] for d in kept)
            buffer = Tensor(f"{name}_at", shape, producer.tensor.dtype, scope="local")
            place = replace(place, locals={**place.locals, name: (buffer, kept)})
        body = list[Stmt]()
        for producer in producers:
            self.check_fixed(producer, fixed[producer.tensor.name])
            body += self.nest(producer, 0, Place(envs[producer.tensor.name], locals=place.locals))
        body += self.packed(stage, position, place)
        for producer in producers:
            body = [Local(place.locals[producer.tensor.name][0], tuple(body))]
        return body

    def fixed_axes(self, stage: Stage, place: Place) -> dict[str, Expr]:
        """The axes of a stage that have one value here."""
        fixed = dict[str, Expr]()
        for axis in stage.loops.axes:
            if all(loop in place.env.values for loop in stage.order if axis in stage.loops.roots(loop)):
                fixed[axis] = stage.loops.value(axis, place.env)
        return fixed

    def fixed_index(
        self, producer: Stage, readers: list[Stage], fixed: Mapping[str, Mapping[str, Expr]]
    ) -> list[Expr | None]:
        """For each dimension of a producer, the one value at which it is read here, or None: it is needed whole."""
        found: list[set[Expr | None]] = [set() for _ in producer.tensor.shape]
        for reader in readers:
            known = fixed.get(reader.tensor.name, {})
            for load in definition(reader).reads():
                if load.tensor.name == producer.tensor.name:
                    for values, index in zip(found, load.index, strict=True):
                        values.add(self.at(index, known) if variables(index) <= set(known) else None)
        return [values.pop() if len(values) == 1 else None for values in found]

    def at(self, index: Expr, known: Mapping[str, Expr]) -> Expr:
        """An index with its axes' values."""
        return rewrite(index, lambda e: known[e.name] if isinstance(e, Var) else None)

    def check_fixed(self, producer: Stage, fixed: Mapping[str, Expr]) -> None:
        """An axis with one value has no loops to change."""
        for axis in fixed:
            if axis not in producer.order:
                raise ScheduleError(
                    f"{producer.tensor.name} is computed for one value of {axis} here, so {axis} must be neither split nor fused."
                )

    def packed(self, stage: Stage, position: int, place: Place) -> list[Stmt]:
        """The buffers that inputs are packed into around this loop, then the loop."""
        loop = stage.order[position]
        wraps, body = list[Tensor](), list[Stmt]()
        outside = place
        for name in (name for name, at in stage.packs.items() if at == loop):
            (load,) = {load for load in definition(stage).reads() if load.tensor.name == name}
            loops = stage.touching(load, loop)
            shape = tuple(stage.loops.longest(one) for one in loops)
            buffer = Tensor(f"{name}_pack", shape, load.tensor.dtype, scope="local")
            place = place.with_cache(name, buffer, loops)

            def copy(p: Place, buffer: Tensor = buffer, loops: list[str] = loops, load: Load = load) -> Stmt:
                values = tuple(p.env.values[one] for one in loops)
                return Store(buffer, values, self.translate(stage, load, p))

            body += self.over(stage, loops, outside, copy)
            wraps.append(buffer)
        body += self.reduced(stage, position, place)
        for buffer in wraps:
            body = [Local(buffer, tuple(body))]
        return body

    def reduced(self, stage: Stage, position: int, place: Place) -> list[Stmt]:
        """A reduction starts before its first loop and ends after it; what is held is filled before and written back after."""
        first, loop = stage.first_reducing(), stage.order[position]
        if not definition(stage).reduces or (loop != stage.held and position != first):
            return self.ranges(stage, position, place)
        held, spatial = loop == stage.held, stage.spatial(loop)
        starts = position == first or (held and position < first)
        if starts and not held and stage.tensor.name in place.caches:
            return self.ranges(stage, position, place)  # it started when it was taken into the buffer
        inside = place.with_cache(stage.tensor.name, self.register(stage, spatial), spatial) if held else place
        start = identity(definition(stage).op, stage.tensor.dtype)

        def fill(p: Place) -> Stmt:
            return Store(*self.element(stage, p), start if starts else Load(*self.home(stage, p)))

        def drain(p: Place) -> Stmt:
            value: Expr = Load(*self.element(stage, p))
            return Store(*self.home(stage, p), self.finished(stage, value, p) if starts else value)

        body = self.over(stage, spatial, inside, fill) if held or starts else []
        body += self.ranges(stage, position, inside)
        if held or (starts and definition(stage).post is not None):
            body += self.over(stage, spatial, inside, drain)
        return [Local(inside.caches[stage.tensor.name][0], tuple(body))] if held else body

    def register(self, stage: Stage, loops: list[str]) -> Tensor:
        """The buffer that holds what these loops reduce."""
        shape = tuple(stage.loops.longest(one) for one in loops)
        known = all(
            stage.loops.kinds.get(one) in {"unroll", "vectorize"} or stage.loops.longest(one) == 1 for one in loops
        )
        small = math.prod(shape) * int(stage.tensor.dtype[-2:]) // 8 <= LARGEST_REGISTERS
        return Tensor(
            f"{stage.tensor.name}_held", shape, stage.tensor.dtype, scope="register" if known and small else "local"
        )

    def ranges(self, stage: Stage, position: int, place: Place) -> list[Stmt]:
        """A loop, in the pieces that it falls into here, with the loops within it."""
        loop = stage.order[position]
        if loop in place.env.values:
            return self.nest(stage, position + 1, place)
        out = list[Stmt]()
        for piece in stage.loops.pieces(loop, place.env):
            inside = replace(place, env=place.env.inside(loop, piece))
            body = tuple(self.nest(stage, position + 1, inside))
            kind = stage.loops.kinds.get(loop, "serial")
            out += [For(place.env.prefix + loop, piece.count, kind, body)] if piece.count > 1 else body
        return out

    def over(self, stage: Stage, loops: list[str], place: Place, leaf: Leaf) -> list[Stmt]:
        """A nest over some of the loops with one statement in it, on one thread."""
        if not loops:
            return [leaf(place)]
        first, out = loops[0], list[Stmt]()
        if first in place.env.values:
            return self.over(stage, loops[1:], place, leaf)
        for piece in stage.loops.pieces(first, place.env):
            body = tuple(self.over(stage, loops[1:], replace(place, env=place.env.inside(first, piece)), leaf))
            kind = stage.loops.kinds.get(first, "serial").replace("parallel", "serial")
            out += [For(place.env.prefix + first, piece.count, kind, body)] if piece.count > 1 else body
        return out

    def term(self, stage: Stage, place: Place) -> Stmt:
        """The statement inside all loops: an element, or one more term of it."""
        tensor, index = self.element(stage, place)
        value = self.translate(stage, definition(stage).body, place)
        if definition(stage).reduces:
            value = Binary(definition(stage).op, Load(tensor, index), value)
        return Store(tensor, index, value)

    def finished(self, stage: Stage, value: Expr, place: Place) -> Expr:
        """What becomes of a reduced element."""
        post = definition(stage).post
        if post is None:
            return value
        return self.translate(stage, post, place, value)

    def element(self, stage: Stage, place: Place) -> tuple[Tensor, tuple[Expr, ...]]:
        """Where the element at hand is now: where it is held, or at home."""
        held = place.caches.get(stage.tensor.name)
        if held is None:
            return self.home(stage, place)
        return held[0], tuple(place.env.values[loop] for loop in held[1])

    def home(self, stage: Stage, place: Place) -> tuple[Tensor, tuple[Expr, ...]]:
        """Where the element at hand belongs: in its tensor, or in the buffer of the loop that it is computed at."""
        index = tuple(stage.loops.value(axis.name, place.env) for axis in definition(stage).axes)
        tensor, kept = place.locals.get(stage.tensor.name, (stage.tensor, tuple(range(len(index)))))
        return tensor, tuple(index[d] for d in kept)

    def translate(self, stage: Stage, e: Expr, place: Place, own: Expr | None = None) -> Expr:
        """An expression of axes as one of the loops and buffers that there are here; `own` stands for the stage's own element."""

        def change(x: Expr) -> Expr | None:
            if isinstance(x, Var):
                return stage.loops.value(x.name, place.env)
            if not isinstance(x, Load) or x.tensor.name == stage.tensor.name:
                return own if isinstance(x, Load) else None
            if x.tensor.name in place.caches:
                buffer, loops = place.caches[x.tensor.name]
                return Load(buffer, tuple(place.env.values[loop] for loop in loops))
            buffer, kept = place.locals.get(x.tensor.name, (x.tensor, tuple(range(len(x.index)))))
            return Load(buffer, tuple(rewrite(x.index[d], change) for d in kept))

        return rewrite(e, change)
