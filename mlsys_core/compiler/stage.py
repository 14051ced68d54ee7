"""One definition and the order in which it is computed: the primitives that change loops, and what each of them may not do.

Idea      A primitive is legal where it leaves every dependence in place. A definition writes each element once, so its loops may stand in
          any order; a reduction carries one dependence, from each term to the next of the same element. ⊕ is associative and commutative,
          so terms may be reordered, but never added by two lanes or two threads at once.
Equation  element(i) = ⊕_k body(i, k): loops over i are independent, loops over k are a chain
Paper     J. Ragan-Kelley et al., "Halide", PLDI 2013; T. Chen et al., "TVM", OSDI 2018 (the primitives); K. Goto, R. van de Geijn,
          "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008 (what `pack` and `hold` are for).
Cost      Whole numbers give the same bits under every schedule. Floating-point sums round in another order where reductions are reordered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlsys_core.compiler.expressions import Load, Select, loads, variables, walk
from mlsys_core.compiler.ir import Tensor
from mlsys_core.compiler.loops import Env, Loops, ScheduleError, Split

LONGEST_UNROLLED = 64  # copies or lanes of one loop
LARGEST_BUFFER = 1 << 24  # bytes, of one thread

Step = list[Any]  # a primitive as JSON has it: stage, name, arguments


@dataclass
class Stage:
    """A definition with its loops. Primitives return the names of the loops that they make, and raise ScheduleError."""

    tensor: Tensor
    loops: Loops
    packs: dict[str, str] = field(default_factory=dict)  # tensor -> the loop it is packed around
    held: str | None = None
    attached: tuple[str, str] | None = None  # stage and loop that it is computed at
    steps: list[Step] = field(default_factory=list)
    verify: Callable[[], object] = field(default=lambda: None)  # what else has to hold after a step

    @property
    def order(self) -> tuple[str, ...]:
        """Loops, from the outermost to the innermost."""
        return tuple(self.loops.order)

    @contextmanager
    def _step(self, name: str, *arguments: Any) -> Iterator[None]:
        """Keeps the step if it is legal; otherwise the stage is as it was."""
        before = Loops(*(type(x)(x) for x in vars(self.loops).values()))
        packs, held = dict(self.packs), self.held
        try:
            yield
            for _ in self.loops.walk(0, Env()):
                pass
            self._check_lanes()
            self.verify()
        except ScheduleError:
            self.loops, self.packs, self.held = before, packs, held
            raise
        self.steps.append([self.tensor.name, name, *arguments])

    def _check_lanes(self) -> None:
        for loop, kind in self.loops.kinds.items():
            if kind == "vectorize" and loop != self.order[-1]:
                raise ScheduleError(f"{loop} is vectorized, so it has to stay innermost: its iterations run as one.")

    def _there(self, *loops: str) -> None:
        for loop in loops:
            if loop not in self.loops.order:
                raise ScheduleError(
                    f"There is no loop {loop} in {self.tensor.name}; there are {', '.join(self.order)}."
                )

    def _plain(self, loop: str) -> None:
        self._there(loop)
        if loop in self.loops.kinds:
            raise ScheduleError(f"{loop} is already {self.loops.kinds[loop]}; change its loops before that.")
        if loop in {self.held, *self.packs.values()}:
            raise ScheduleError(f"A buffer stands around {loop}; change its loops before that.")

    def split(self, loop: str, factor: int) -> tuple[str, str]:
        """Loop x becomes x.0 over blocks and x.1 over the `factor` places in a block; the last block may be shorter."""
        with self._step("split", loop, factor):
            self._plain(loop)
            if factor < 1:
                raise ScheduleError(f"The factor is {factor}; a block needs at least one place.")
            split = Split(f"{loop}.0", f"{loop}.1", factor)
            self.loops.splits[loop] = split
            at = self.loops.order.index(loop)
            self.loops.order[at : at + 1] = [split.outer, split.inner]
        return split.outer, split.inner

    def fuse(self, outer: str, inner: str) -> str:
        """Two loops, one right inside the other, become one as long as both."""
        name = f"{outer}_{inner}"
        with self._step("fuse", outer, inner):
            self._plain(outer)
            self._plain(inner)
            at = self.loops.order.index(outer)
            if self.loops.order[at + 1 : at + 2] != [inner]:
                raise ScheduleError(f"{inner} is not right inside {outer}; reorder them first.")
            if self.loops.reduces(outer) != self.loops.reduces(inner):
                raise ScheduleError(
                    f"One of {outer} and {inner} reduces and the other does not: one loop cannot do both."
                )
            self.loops.fused[name] = (outer, inner)
            self.loops.order[at : at + 2] = [name]
        return name

    def reorder(self, *loops: str) -> None:
        """Puts these loops into this order, in the places that they have now."""
        with self._step("reorder", *loops):
            self._there(*loops)
            if len(set(loops)) < len(loops):
                raise ScheduleError(f"A loop is named twice in {', '.join(loops)}.")
            places = sorted(self.loops.order.index(loop) for loop in loops)
            for place, loop in zip(places, loops, strict=True):
                self.loops.order[place] = loop

    def tile(self, x: str, y: str, x_factor: int, y_factor: int) -> tuple[str, str, str, str]:
        """Splits two neighbouring loops and visits blocks first: x.0, y.0, x.1, y.1."""
        self._there(x, y)
        if abs(self.loops.order.index(x) - self.loops.order.index(y)) != 1:
            raise ScheduleError(f"{x} and {y} are not neighbours; reorder them first.")
        (x0, x1), (y0, y1) = self.split(x, x_factor), self.split(y, y_factor)
        self.reorder(x0, y0, x1, y1)
        return x0, y0, x1, y1

    def _mark(self, loop: str, kind: str) -> None:
        with self._step(kind, loop):
            self._there(loop)
            if loop in self.loops.kinds:
                raise ScheduleError(f"{loop} is already {self.loops.kinds[loop]}.")
            length = self.loops.longest(loop)
            if kind != "unroll" and self.loops.reduces(loop):
                raise ScheduleError(
                    f"{loop} reduces: its terms go into the same element one after the other, so it cannot be {kind}d."
                    if kind == "vectorize"
                    else f"{loop} reduces: two threads would change the same element at once, so it cannot be {kind}."
                )
            if kind != "parallel" and length > LONGEST_UNROLLED:
                raise ScheduleError(
                    f"{loop} has {length} iterations, and {kind} takes at most {LONGEST_UNROLLED}; split it."
                )
            self.loops.kinds[loop] = kind

    def vectorize(self, loop: str) -> None:
        """Runs the innermost loop's iterations in the lanes of vectors."""
        self._mark(loop, "vectorize")

    def unroll(self, loop: str) -> None:
        """Writes out a loop's iterations."""
        self._mark(loop, "unroll")

    def parallel(self, loop: str) -> None:
        """Gives a loop's iterations to several threads."""
        self._mark(loop, "parallel")

    def pack(self, tensor: str, loop: str) -> None:
        """Before `loop`, copies what it reads of a tensor into a buffer, in the order in which it is read."""
        with self._step("pack", tensor, loop):
            self._there(loop)
            load = self.read_of(tensor)
            size = 1
            for one in self.touching(load, loop):
                size *= self.loops.longest(one)
            if size * int(load.tensor.dtype[-2:]) // 8 > LARGEST_BUFFER:
                raise ScheduleError(f"{tensor} around {loop} would take {size} elements; pack it further in.")
            self.packs[tensor] = loop

    def read_of(self, tensor: str) -> Load:
        """The one load of a tensor in the definition that may be packed."""
        definition = self.tensor.compute
        assert definition is not None
        found = {load for load in loads(definition.body) if load.tensor.name == tensor}
        if len(found) != 1:
            raise ScheduleError(
                f"{self.tensor.name} reads {tensor} in {len(found)} places; what is packed is read in one."
            )
        if any(found & set(loads(e)) for e in walk(definition.body) if isinstance(e, Select)):
            raise ScheduleError(f"{tensor} is read under a condition: a copy of it would read outside of the tensor.")
        if tensor in self.packs:
            raise ScheduleError(f"{tensor} is already packed around {self.packs[tensor]}.")
        return found.pop()

    def touching(self, load: Load, loop: str) -> list[str]:
        """The loops from `loop` on that an index depends on."""
        inside = self.order[self.order.index(loop) :]
        roots, before = set().union(*(variables(i) for i in load.index)) if load.index else set[str](), set[str]()
        while roots != before:
            # a loop fused of two axes brings the other one with it, whose loops say how long it is
            before, roots = roots, roots.union(*(r for one in inside if (r := self.loops.roots(one)) & roots))
        return [one for one in inside if self.loops.roots(one) & roots]

    def hold(self, loop: str) -> None:
        """Around `loop`, keeps the elements that it reduces in a buffer: registers, where its loops over them are unrolled or lanes."""
        with self._step("hold", loop):
            self._there(loop)
            if not any(axis.reduces for axis in self.loops.axes.values()):
                raise ScheduleError(f"{self.tensor.name} reduces nothing, so there is nothing to hold.")
            if self.held is not None:
                raise ScheduleError(f"{self.tensor.name} is already held around {self.held}.")
            self.held = loop

    def spatial(self, loop: str) -> list[str]:
        """The loops from `loop` on that visit elements."""
        return [one for one in self.order[self.order.index(loop) :] if not self.loops.reduces(one)]

    def first_reducing(self) -> int:
        """The place of the outermost loop that reduces, or the number of loops."""
        return next((i for i, loop in enumerate(self.order) if self.loops.reduces(loop)), len(self.order))
