"""A Triton module for a schedule: parallel loops become the grid, the innermost blocks become tiles, and masks cut the remainders.

Idea      The same steps say something else on a GPU. A program of the grid is one iteration of the parallel loops; the inner halves of splits,
          which stand innermost, are run at once as the dimensions of a tile; what is between is a loop in the program. A sum of products
          over one tile axis is `tl.dot`. Tiles stay in registers and shared memory by Triton's own choice, so `pack` and `hold` say nothing.
Equation  C tile = Σ_k0 dot(A[i, k], B[k, j]),  i = i0·I_1 + (0 … I_1 - 1),  masked where i ≥ m
Paper     P. Tillet, H. T. Kung, D. Cox, "Triton: an intermediate language and compiler for tiled neural network computations", MAPL 2019.
Cost      One kernel a stage; a tile of a reduction that is no product is kept whole and folded once at the end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from mlsys_core.compiler.codegen_c import identifier
from mlsys_core.compiler.expressions import Binary, Call, Const, Expr, Load, Var, variables
from mlsys_core.compiler.ir import LEVEL
from mlsys_core.compiler.loops import ScheduleError
from mlsys_core.compiler.lower import definition, identity
from mlsys_core.compiler.schedule import Schedule
from mlsys_core.compiler.stage import Stage

FOLD = {"+": "tl.sum", "max": "tl.max", "min": "tl.min"}
SMALLEST_DOT = 16  # of each side
HEAD = "from __future__ import annotations\n\nimport torch\nimport triton\nimport triton.language as tl\n"


def generate(schedule: Schedule) -> str:
    """A module with a kernel a stage and `run(inputs…)`, which takes and returns torch tensors (a tuple of the outputs).

    Raises ScheduleError for what has no form in Triton.
    """
    writers = [_Kernel(stage) for stage in schedule.stages.values()]
    names = [identifier(name) for name in schedule.inputs]
    lines = [f"def run({', '.join(names)}):"]
    for writer in writers:
        tensor = writer.stage.tensor
        dtype = f"dtype=torch.{tensor.dtype}, device={names[0]}.device"
        lines.append(f"    {identifier(tensor.name)} = torch.empty({tensor.shape}, {dtype})")
        lines.append(f"    {writer.launch()}")
    lines.append(f"    return ({', '.join(identifier(t.name) for t in schedule.outputs)},)")
    return "\n\n".join([HEAD, *("\n".join(w.text()) + "\n" for w in writers), "\n".join(lines)]) + "\n"


def write(schedule: Schedule, folder: Path) -> Path:
    """Writes the module to a file named by its contents: Triton reads a kernel's source from its file."""
    source = generate(schedule)
    path = folder / f"kernels_{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"
    path.write_text(source)
    return path


def load(path: Path) -> ModuleType:
    """Imports a written module. It needs torch and triton, and a GPU, or TRITON_INTERPRET=1 before triton is first imported."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Kernel:
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
        yield from self.dot() if self.is_product() else self.fold()
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
        indent = yield from self.enter()
        yield from self.places(self.tiles, indent)
        mask = self.mask(axis.name for axis in self.what.reduces)
        term = self.value(self.what.body)
        term = f"tl.where({mask}, {term}, {start})" if mask else term
        yield f"{indent}total = {_operation(op, 'total', term)}"
        for d in reversed(range(len(self.elements), len(self.tiles))):
            yield f"    total = {FOLD[op]}(total, axis={d})"
        yield "    result = total"

    def enter(self) -> Iterator[str]:  # type: ignore[misc] - returns the indentation inside the loops
        """The loops of a program; returns the indentation inside them."""
        indent = "    "
        for loop in self.serial:
            yield f"{indent}for {identifier(loop)} in range(0, {self.count(loop).replace('triton.', 'tl.')}):"
            indent += "    "
        return indent

    def is_product(self) -> bool:
        """Whether the reduction is a product of two tiles, each over one axis of the result and the reduction's."""
        return (
            self.operands() is not None
            and self.stage.tensor.dtype == "float32"
            and all(self.size(loop) >= SMALLEST_DOT for loop in self.tiles)
        )

    def operands(self) -> tuple[Load, Load] | None:
        """The left and the right operand of a product, or None."""
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
        indent = yield from self.enter()
        for name, load, tiles in (("left", operands[0], [i, k]), ("right", operands[1], [k, j])):
            yield from self.places(tiles, indent)
            yield f"{indent}{name} = {self.value(load)}"
        yield f'{indent}total = tl.dot(left, right, total, input_precision="ieee")'
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
        parts = [
            f"{self.value(i)} * {math.prod(load.tensor.shape[d + 1 :])}".removesuffix(" * 1")
            for d, i in enumerate(load.index)
        ]
        return " + ".join([f"{identifier(load.tensor.name)}_ptr", *parts])

    def value(self, e: Expr, above: int = 0) -> str:
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
