"""What a loop nest costs a machine, counted: instructions, dependent additions, iterations, bytes from each level of memory.

Idea      A nest's cost can be read off its text. Lanes share an instruction, unrolled copies share a load that does not change with them,
          and a subtree whose bytes fit a cache loads them once however often it goes over them; one that does not fit loads them again.
Equation  bytes(S) = footprint(S) where S, or one iteration of it, fits the cache; otherwise Σ over iterations and statements of bytes(…)
          footprint = Σ over tensors of the lines in the box of its indices (interval arithmetic)
Paper     M. Wolf, M. Lam, "A data locality optimizing algorithm", PLDI 1991 (reuse by loop); S. Williams et al., "Roofline", CACM
          52(4), 2009; T. Chen et al., "Learning to optimize tensor programs", NeurIPS 2018 (such counts as features of a learned model).
Cost      One walk over the nest for each level; the size of the tensors does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mlsys_core.compiler.c_text import SIZE, flatten, lanes
from mlsys_core.compiler.expressions import Binary, Call, Load, bounds, loads, stride, variables, walk
from mlsys_core.compiler.interpreter import Array
from mlsys_core.compiler.ir import For, Local, Program, Stmt, Store, Tensor

LINE = 64  # bytes


@dataclass(frozen=True)
class Cache:
    """A cache of `size` bytes in sets of `ways` lines, and the bytes a cycle that come from behind it."""

    size: int
    ways: int
    rate: float


@dataclass(frozen=True)
class Machine:
    """A core: bytes of its vectors, vector registers, instructions and loads a cycle, latency of an addition, cycles of a function;
    caches from the nearest. The rates are round numbers of current server cores."""

    vector_bytes: int = 64
    registers: int = 32
    arithmetic: float = 1.0
    loads: float = 2.0
    latency: float = 4.0
    call: float = 10.0
    caches: tuple[Cache, ...] = (Cache(32 << 10, 8, 64.0), Cache(1 << 20, 16, 32.0), Cache(16 << 20, 16, 8.0))


@dataclass(frozen=True)
class Features:
    """Counts of a nest. `bytes` has one number for each cache: what it cannot hold and takes from behind it."""

    arithmetic: float = 0.0
    loads: float = 0.0
    latency: float = 0.0
    iterations: float = 0.0
    spilled: float = 0.0
    bytes: tuple[float, ...] = ()

    def vector(self) -> Array:
        """The counts as logarithms, which is how the fitted model weighs them."""
        counts = (self.arithmetic, self.loads, self.latency, self.iterations, self.spilled, *self.bytes)
        return np.log1p(np.array(counts, np.float64))


def prior_cycles(found: Features, machine: Machine) -> float:
    """The analytic estimate: the core's busiest unit and its loops, or memory, whichever takes longer, since they overlap."""
    busiest = max(found.arithmetic / machine.arithmetic, found.loads / machine.loads, found.latency)
    memory = sum(size / cache.rate for size, cache in zip(found.bytes, machine.caches, strict=True))
    return max(busiest + found.iterations + found.spilled, memory)


def features(program: Program, machine: Machine) -> Features:
    """The counts of a whole program."""
    counter = _Counter(machine)
    for s in program.body:
        counter.visit(s, [])
    traffic = tuple(sum(traffic_of(s, cache) for s in program.body) for cache in machine.caches)
    return Features(counter.arithmetic, counter.loads, counter.latency, counter.iterations, counter.spilled, traffic)


@dataclass
class _Counter:
    machine: Machine
    arithmetic: float = 0.0
    loads: float = 0.0
    latency: float = 0.0
    iterations: float = 0.0
    spilled: float = 0.0
    open: list[For] = field(default_factory=list)

    def visit(self, s: Stmt, around: list[For]) -> None:
        """Counts a statement inside these loops."""
        match s:
            case Store():
                self.store(s, around)
            case For():
                if s.kind in {"serial", "parallel"}:
                    self.iterations += math.prod(self.copies(loop, s_is_text=False) for loop in [*around, s])
                for inner in s.body:
                    self.visit(inner, [*around, s])
            case Local():
                for inner in s.body:
                    self.visit(inner, around)

    def copies(self, loop: For, *, s_is_text: bool, size: int = 4) -> int:
        """How many times a loop repeats an instruction of elements of `size` bytes; as text only, or at run time."""
        if loop.kind == "vectorize":
            return sum(1 for _ in lanes(loop.extent, self.machine.vector_bytes // size)) if s_is_text else 1
        return loop.extent if (loop.kind == "unroll") == s_is_text else 1

    def store(self, s: Store, around: list[For]) -> None:
        """One store: its operations, its loads, and how long each term waits for the one before."""
        size = SIZE[s.tensor.dtype]
        times = math.prod(self.copies(loop, s_is_text=False) for loop in around)
        text = [loop for loop in around if loop.kind in {"unroll", "vectorize"}]
        copies = math.prod(self.copies(loop, s_is_text=True, size=size) for loop in text)
        lanes_used = math.prod(loop.extent for loop in text if loop.kind == "vectorize")
        calls = sum(isinstance(e, Call) for e in walk(s.value)) * lanes_used
        # a product that is added is one instruction
        operations = max(1, sum(isinstance(e, Binary) and e.op not in {"//", "%"} for e in _values(s)) - _is_term(s))
        self.arithmetic += times * (operations * copies + self.machine.call * calls)
        memory = [load for load in loads(s.value) if load.tensor.scope != "register"]
        self.loads += times * sum(self.load(load, text, size) for load in memory)
        if _is_term(s):
            self.latency += times * self.machine.latency
            held = s.tensor.scope == "register"
            self.spilled += times * max(0, copies + 3 - self.machine.registers) if held else times * copies
        else:
            self.loads += times * copies

    def load(self, load: Load, text: list[For], size: int) -> int:
        """Instructions of a load inside unrolled loops and lanes: none is repeated where the element does not change."""
        flat, number = flatten(load.tensor, load.index), 1
        for loop in text:
            step = stride(flat, loop.var)
            if step == 1 and loop.kind == "vectorize":
                number *= self.copies(loop, s_is_text=True, size=size)
            elif step != 0:
                number *= loop.extent
        return number


def _is_term(s: Store) -> bool:
    """Whether a store adds to what it stores to."""
    return any(load.tensor is s.tensor and load.index == s.index for load in loads(s.value))


def _values(s: Store) -> Iterator[object]:
    """The parts of a stored value that are no parts of an index."""
    inside = [i for load in loads(s.value) for i in load.index]
    of_index = {id(part) for i in inside for part in walk(i)}
    return (e for e in walk(s.value) if id(e) not in of_index)


def traffic_of(s: Stmt, cache: Cache) -> float:
    """Bytes that a statement takes from behind a cache: where one iteration fits, each line comes once in the whole loop."""
    touched, occupied = _footprint((s,), cache)
    if isinstance(s, Store) or occupied <= cache.size:
        return touched
    if isinstance(s, For) and _footprint(s.body, cache)[1] <= cache.size:
        return touched
    inside = sum(traffic_of(inner, cache) for inner in s.body)
    return inside * s.extent if isinstance(s, For) else inside


def _footprint(body: tuple[Stmt, ...], cache: Cache) -> tuple[float, float]:
    """Bytes of the lines that statements touch while their loops run; and as many as would fill the cache as much, spread evenly."""
    boxes: dict[str, tuple[float, float]] = {}
    for load, extents in (found for s in body for found in _accesses(s, {})):
        spans = []
        for i in load.index:
            low, high = bounds(i, {name: extents.get(name, 1) for name in variables(i)})
            spans.append(high - low + 1)
        boxes[load.tensor.name] = max(boxes.get(load.tensor.name, (0.0, 0.0)), _box(load.tensor, spans, cache))
    return sum(touched for touched, _ in boxes.values()), sum(occupied for _, occupied in boxes.values())


def _box(tensor: Tensor, spans: list[int], cache: Cache) -> tuple[float, float]:
    """The bytes of a box of a tensor, and what it occupies: rows that lie a power of two apart share few sets, and fill them early."""
    size, last = SIZE[tensor.dtype], max(len(spans) - 1, 0)
    run = math.prod(spans[last:])
    while last and spans[last] == tensor.shape[last]:
        last -= 1
        run *= spans[last]
    lines, rows = math.ceil(run * size / LINE), math.prod(spans[:last])
    touched = float(lines * rows * LINE)
    most, d = max(((n, d) for d, n in enumerate(spans[:last])), default=(1, 0))
    step, way = math.prod(tensor.shape[d + 1 :]) * size, cache.size // cache.ways
    apart = min(most, way // math.gcd(step, way))
    sets = min(way // LINE, lines * apart)
    full = -(-lines * rows // sets)  # lines in the fullest sets
    return touched, float(full * way if full > cache.ways else lines * rows * LINE)


def _accesses(s: Stmt, extents: dict[str, int]) -> Iterator[tuple[Load, dict[str, int]]]:
    """Every access below a statement, but for what is held in registers, with the extents of the loops around it."""
    if isinstance(s, Store):
        for load in [Load(s.tensor, s.index), *loads(s.value)]:
            if load.tensor.scope != "register":
                yield load, extents
        return
    inside = {**extents, s.var: s.extent} if isinstance(s, For) else extents
    for inner in s.body:
        yield from _accesses(inner, inside)
