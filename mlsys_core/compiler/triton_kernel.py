"""One Triton kernel as text: the grid, the loops of a program, the places of a tile, and masks.

Idea      A tile has a dimension for each block that stands innermost: those of the result first, then those of the reduction. An index is
          written with each place along its own dimension, so that broadcasting makes the tile; a block that may hang over the end of its
          axis puts a condition on every load and store that uses it.
Equation  i = i0·I_1 + (0 … I_1 - 1)[:, None],   mask = i < m where I_1 does not divide m
Paper     P. Tillet, H. T. Kung, D. Cox, "Triton", MAPL 2019.
Cost      A mask costs a comparison, and only where there is a remainder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from mlsys_core.compiler.c_text import identifier
from mlsys_core.compiler.expressions import Binary, Call, Const, Expr, Load, Var, variables
from mlsys_core.compiler.ir import LEVEL
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.place import definition, identity
from mlsys_core.compiler.stage import Stage

FOLD = {"+": "tl.sum", "max": "tl.max", "min": "tl.min"}
SMALLEST_DOT = 16  # of each side


class TritonKernel:
    """The text of one stage's kernel."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.loops, self.what = stage, stage.loops, definition(stage)
        name, order = stage.tensor.name, list(stage.order)
        if stage.attached is not None:
            raise ScheduleError(
                f"{name} is computed at a loop of {stage.attached[0]}; in Triton a stage is a kernel of its own."
            )
        inner = {split.inner for split in self.loops.splits.values()}
        at = len(order)
        while at and order[at - 1] in inner:
            at -= 1
        tiles = order[at:]
        # elements first, then terms, so that folding leaves the tile of the result
        self.tiles = sorted(tiles, key=self.loops.reduces)
        self.elements = [loop for loop in self.tiles if not self.loops.reduces(loop)]
        self.grid = [loop for loop in order[:at] if self.loops.kinds.get(loop) == "parallel"]
        self.serial = order[len(self.grid) : at]
        self.inner = "    " * (len(self.serial) + 1)  # the indentation within the loops of a program
        self._check(order)

    def _check(self, order: list[str]) -> None:
        name = self.stage.tensor.name
        if not self.tiles:
            raise ScheduleError(f"{name} has no tile: split a loop and leave its inner half innermost.")
        if order[: len(self.grid)] != self.grid or any(not self.loops.reduces(loop) for loop in self.serial):
            raise ScheduleError(
                f"In {name} the loops over blocks of the result have to be parallel and outermost: they are the grid."
            )
        if not 1 <= len(self.grid) <= 3:
            raise ScheduleError(
                f"{name} has {len(self.grid)} parallel loops; a grid has one to three dimensions. Fuse some."
            )
        for loop in self.tiles:
            if (size := self.size(loop)) & (size - 1):
                raise ScheduleError(
                    f"{loop} of {name} has {size} places; the sides of a Triton tile are powers of two."
                )
        if self.what.reduces and self.what.op not in FOLD:
            raise ScheduleError(
                f"{name} reduces by {self.what.op}, which Triton cannot fold; it has {', '.join(FOLD)}."
            )
        if any(load.tensor.dtype == "float64" for load in self.what.reads()):
            raise ScheduleError(f"{name} is float64; the kernels are for float32 and whole numbers.")

    def size(self, loop: str) -> int:
        """The side of a tile: the factor of the split, whatever the length of the axis."""
        return next(split.factor for split in self.loops.splits.values() if split.inner == loop)

    def knob(self, loop: str) -> str:
        """The name of a tile's side."""
        return identifier(loop).upper()

    def count(self, loop: str) -> str:
        """The number of iterations of a loop that is no tile."""
        for parent, split in self.loops.splits.items():
            if split.outer == loop and split.inner in self.tiles:
                return f"triton.cdiv({self.loops.longest(parent)}, {self.knob(split.inner)})"
        return str(self.loops.longest(loop))

    def pointers(self) -> list[str]:
        """Names of the tensors that the kernel touches, its own last."""
        own = self.stage.tensor.name
        names = dict.fromkeys(load.tensor.name for load in self.what.reads() if load.tensor.name != own)
        return [identifier(name) for name in [*names, own]]

    def launch(self) -> str:
        """The call of the kernel."""
        knobs = {self.knob(loop): self.size(loop) for loop in self.tiles}
        grid = [self.count(loop) for loop in self.grid]
        for knob, size in knobs.items():
            grid = [side.replace(f" {knob})", f" {size})") for side in grid]
        passed = [f"{name}={size}" for name, size in knobs.items()]
        return f"{self.pointers()[-1]}_kernel[({', '.join(grid)},)]({', '.join(self.pointers() + passed)})"

    def text(self) -> Iterator[str]:
        """The lines of the kernel."""
        knobs = [f"{self.knob(loop)}: tl.constexpr" for loop in self.tiles]
        yield "@triton.jit"
        yield f"def {self.pointers()[-1]}_kernel({', '.join([f'{p}_ptr' for p in self.pointers()] + knobs)}):"
        for number, loop in enumerate(self.grid):
            yield f"    {identifier(loop)} = tl.program_id({number})"
        if not self.what.reduces:
            yield from self.places(self.elements, "    ")
            yield f"    result = {self.value(self.what.body)}"
            yield from self.store()
            return
        yield from self.dot() if self.operands() else self.fold()
        yield from self.places(self.elements, "    ")
        if self.what.post is not None:
            yield f"    result = {self.value(self.what.post)}"
        yield from self.store()

    def places(self, tiles: list[str], indent: str) -> Iterator[str]:
        """The places within a tile, each along its own dimension."""
        for d, loop in enumerate(tiles):
            shape = ", ".join(":" if d == e else "None" for e in range(len(tiles)))
            yield f"{indent}{identifier(loop)} = tl.arange(0, {self.knob(loop)}){f'[{shape}]' if len(tiles) > 1 else ''}"

    def store(self) -> Iterator[str]:
        """The result's tile, or its one element, into memory."""
        where = Load(self.stage.tensor, tuple(Var(axis.name) for axis in self.what.axes))
        mask = self.mask(axis.name for axis in self.what.axes)
        yield f"    tl.store({self.pointer(where)}, result{f', mask={mask}' if mask else ''})"

    def fold(self) -> Iterator[str]:
        """A reduction: a tile of partial results, folded at the end."""
        dtype, op = self.stage.tensor.dtype, self.what.op
        start = _number(identity(op, dtype))
        yield f"    total = tl.full(({', '.join(map(self.knob, self.tiles))},), {start}, tl.{dtype})"
        yield from self.enter()
        yield from self.places(self.tiles, self.inner)
        mask = self.mask(axis.name for axis in self.what.reduces)
        term = self.value(self.what.body)
        term = f"tl.where({mask}, {term}, {start})" if mask else term
        yield f"{self.inner}total = {_operation(op, 'total', term)}"
        for d in reversed(range(len(self.elements), len(self.tiles))):
            yield f"    total = {FOLD[op]}(total, axis={d})"
        yield "    result = total"

    def enter(self) -> Iterator[str]:
        """The loops of a program."""
        for depth, loop in enumerate(self.serial, 1):
            yield f"{'    ' * depth}for {identifier(loop)} in range(0, {self.count(loop).replace('triton.', 'tl.')}):"

    def operands(self) -> tuple[Load, Load] | None:
        """The left and the right operand, where the reduction is a product of two tiles that are large enough; or None."""
        if self.stage.tensor.dtype != "float32" or any(self.size(loop) < SMALLEST_DOT for loop in self.tiles):
            return None
        match self.what.op, self.what.body, self.tiles:
            case "+", Binary("*", Load() as a, Load() as b), [i, j, k] if self.elements == [i, j]:
                for left, right in ((a, b), (b, a)):
                    if self.over(left) == {i, k} and self.over(right) == {k, j}:
                        return left, right
        return None

    def over(self, load: Load) -> set[str]:
        """The tile loops that a load depends on."""
        names = set().union(*(variables(i) for i in load.index))
        return {loop for loop in self.tiles if self.loops.roots(loop) & names}

    def dot(self) -> Iterator[str]:
        """A product of tiles."""
        operands = self.operands()
        assert operands is not None
        i, j, k = self.tiles
        yield f"    total = tl.zeros(({self.knob(i)}, {self.knob(j)}), tl.float32)"
        yield from self.enter()
        for name, load, tiles in (("left", operands[0], [i, k]), ("right", operands[1], [k, j])):
            yield from self.places(tiles, self.inner)
            yield f"{self.inner}{name} = {self.value(load)}"
        yield f'{self.inner}total = tl.dot(left, right, total, input_precision="ieee")'
        yield "    result = total"

    def axis(self, name: str) -> str:
        """An axis in terms of the loops, with the sides of tiles by name."""
        if name in self.stage.order:
            return identifier(name)
        if name in self.loops.splits:
            split = self.loops.splits[name]
            factor = self.knob(split.inner) if split.inner in self.tiles else split.factor
            return f"({self.axis(split.outer)} * {factor} + {self.axis(split.inner)})"
        z, x = next((z, x) for z, (y, x) in self.loops.fused.items() if name in {y, x})
        return f"({self.axis(z)} {'%' if name == x else '//'} {self.loops.longest(x)})"

    def mask(self, axes: Iterable[str]) -> str:
        """Where these axes are within their lengths; empty where they always are."""
        wanted = set(axes)
        parts = [
            f"({self.axis(parent)} < {self.loops.longest(parent)})"
            for parent, split in self.loops.splits.items()
            if self.loops.roots(parent) & wanted and self.loops.longest(parent) % split.factor
        ]
        return " & ".join(parts)

    def pointer(self, load: Load) -> str:
        """The addresses of an element for each place of the tile."""
        sizes = [math.prod(load.tensor.shape[d + 1 :]) for d in range(len(load.index))]
        parts = [
            f"{self.value(i, LEVEL['*'])} * {n}" if n > 1 else self.value(i, LEVEL["+"])
            for i, n in zip(load.index, sizes, strict=True)
        ]
        return " + ".join([f"{identifier(load.tensor.name)}_ptr", *parts])

    def value(self, e: Expr, above: int = 0) -> str:  # noqa: PLR0911 - one a kind of expression
        """An expression on tiles."""
        match e:
            case Const():
                return _number(e)
            case Var():
                return self.axis(e.name)
            case Load() if e.tensor.name == self.stage.tensor.name:
                return "result"
            case Load():
                mask = self.mask(set().union(*(variables(i) for i in e.index)))
                return f"tl.load({self.pointer(e)}{f', mask={mask}, other=0' if mask else ''})"
            case Binary(op=("max" | "min")):
                return _operation(e.op, self.value(e.a), self.value(e.b))
            case Binary():
                level = LEVEL[e.op]
                inside = f"{self.value(e.a, level)} {e.op} {self.value(e.b, level + 1)}"
                return f"({inside})" if level < above or level >= 2 > above > 0 else inside
            case Call(name="tanh"):
                return f"(1 - 2 / (tl.exp(2 * {self.value(e.x, 3)}) + 1))"
            case Call():
                return f"tl.{e.name}({self.value(e.x)})"
        raise ScheduleError(
            f"{self.stage.tensor.name} chooses by a condition, which the Triton back end does not write."
        )


def _operation(op: str, a: str, b: str) -> str:
    if op in {"max", "min"}:
        return f"tl.{op}imum({a}, {b}, propagate_nan=tl.PropagateNan.ALL)"
    return f"{a} {op} ({b})"


def _number(e: Expr) -> str:
    assert isinstance(e, Const)
    return f'float("{e.value}")' if isinstance(e.value, float) and math.isinf(e.value) else str(e.value)
