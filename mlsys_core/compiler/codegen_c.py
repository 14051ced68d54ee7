"""C for a loop nest: loops as loops, unrolled loops as text, lanes as vectors, held elements as variables.

Idea      What the schedule decided is written down so that the compiler cannot undo it. A vectorized loop is cut into pieces of 64, 32,
          16, … bytes, and each piece is one value of a vector type (an extension of GCC and Clang), so there is nothing left to
          recognise. Elements that are held get a variable each, which the compiler keeps in registers. There is no -ffast-math: sums
          keep their order.
Equation  lane l of a load at index e(v):  stride 0: one element in every lane;  1: a piece of memory;  otherwise: lane by lane
Paper     T. Chen et al., "TVM", OSDI 2018 (from loop nests to LLVM and C); F. Franchetti et al., "SPIRAL", Proc. IEEE 106(11), 2018.
Cost      As much text as loops are unrolled: at most 64 copies a loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlsys_core.compiler.c_text import CTYPE, SIZE, condition, flatten, helper_text, identifier, index, lanes, literal
from mlsys_core.compiler.expressions import (
    Binary,
    Call,
    Const,
    Expr,
    Load,
    Select,
    Var,
    stride,
    substitute,
)
from mlsys_core.compiler.ir import For, Local, Program, Stmt, Store, Tensor, bind, text
from mlsys_core.compiler.loops import ScheduleError


def arguments(program: Program) -> tuple[Tensor, ...]:
    """The function's parameters in order: inputs, outputs, workspaces."""
    return program.inputs + program.outputs + program.workspaces


def generate(program: Program, *, vector_bytes: int = 64) -> str:
    """A C function `void name(const T *inputs…, T *outputs…, T *workspaces…)` whose pointers must not overlap."""
    writer = _Writer(vector_bytes)
    body = [line for s in program.body for line in writer.statement(s, 1)]
    parameters = [
        f"{'const ' if tensor in program.inputs else ''}{CTYPE[tensor.dtype]} *restrict {identifier(tensor.name)}"
        for tensor in arguments(program)
    ]
    head = f"void {program.name}({', '.join(parameters)})"
    return "\n".join([*writer.preamble(), head, "{", *body, "}", ""])


class _Writer:
    def __init__(self, vector_bytes: int) -> None:
        self.vector_bytes = vector_bytes
        self.types: set[tuple[str, int]] = set()
        self.helpers: set[tuple[str, str, int]] = set()
        self.registers: list[dict[str, str]] = []  # name -> type, of each held buffer that is open
        self.threads = False

    def statement(self, s: Stmt, depth: int) -> list[str]:
        """The lines of a statement outside of any vector."""
        pad = "    " * depth
        match s:
            case Store():
                return [pad + self.store(s, "", 1)]
            case For(kind="unroll"):
                copies = (bind(inner, {s.var: Const(i)}) for i in range(s.extent) for inner in s.body)
                return [line for inner in copies for line in self.statement(inner, depth)]
            case For(kind="vectorize"):
                return [pad + line for inner in s.body for line in self.vector(s, inner)]
            case For():
                return self.loop(s, depth)
            case Local(tensor=Tensor(scope="register")):
                self.registers.append({})
                body = [line for inner in s.body for line in self.statement(inner, depth + 1)]
                names = [f"{pad}    {kind} {name};" for name, kind in self.registers.pop().items()]
                return [f"{pad}{{", *names, *body, f"{pad}}}"]
            case Local():
                name, kind = identifier(s.tensor.name), CTYPE[s.tensor.dtype]
                size = math.prod(s.tensor.shape)
                memory = f"static _Thread_local {kind} {name}_memory[{size}] __attribute__((aligned(64)));"
                body = [line for inner in s.body for line in self.statement(inner, depth + 1)]
                # a pointer, so that threads which start inside find the buffer of the one that filled it
                return [
                    f"{pad}{{",
                    f"{pad}    {memory}",
                    f"{pad}    {kind} *{name} = {name}_memory;",
                    *body,
                    f"{pad}}}",
                ]
        raise TypeError(f"{type(s).__name__} is no statement of this compiler.")

    def loop(self, s: For, depth: int) -> list[str]:
        """A loop that stays one."""
        pad, v = "    " * depth, identifier(s.var)
        outermost = s.kind == "parallel" and not self.threads
        self.threads |= outermost
        body = [line for inner in s.body for line in self.statement(inner, depth + 1)]
        self.threads &= not outermost
        start = [f"{pad}#pragma omp parallel for schedule(static)"] if outermost else []
        return [*start, f"{pad}for (long {v} = 0; {v} < {s.extent}; {v}++) {{", *body, f"{pad}}}"]

    def vector(self, loop: For, s: Stmt) -> Iterator[str]:
        """The pieces of a vectorized loop around one store."""
        if not isinstance(s, Store):
            raise ScheduleError(f"{loop.var} is vectorized around more than a store.")
        for start, width in lanes(loop.extent, self.vector_bytes // SIZE[s.tensor.dtype]):
            v = loop.var
            if width == 1:
                piece = bind(s, {v: Const(start)})
                assert isinstance(piece, Store)
                yield self.store(piece, "", 1)
            else:
                shifted = bind(s, {v: Var(v) + start}) if start else s
                assert isinstance(shifted, Store)
                yield self.store(shifted, v, width)

    def store(self, s: Store, v: str, width: int) -> str:
        """An assignment, of one element or of as many as there are lanes of v."""
        value = self.value(s.value, s.tensor.dtype, v, width)
        if s.tensor.scope == "register":
            return f"{self.register(s.tensor, s.index, v, width)} = {value};"
        flat = flatten(s.tensor, s.index)
        name = identifier(s.tensor.name)
        if width == 1:
            return f"{name}[{index(flat)}] = {value};"
        kind = self.vector_type(s.tensor.dtype, width)
        base = index(substitute(flat, {v: Const(0)}))
        if stride(flat, v) == 1:
            return f"*({kind}_at *)&{name}[{base}] = {value};"
        each = " ".join(f"{name}[{index(substitute(flat, {v: Const(i)}))}] = lanes[{i}];" for i in range(width))
        return f"{{ {kind} lanes = {value}; {each} }}"

    def register(self, tensor: Tensor, at: tuple[Expr, ...], v: str, width: int) -> str:
        """The variable of a held element, or of a vector of them; the buffer declares what was used."""
        where = [text(substitute(i, {v: Const(0)})) for i in at]
        name = "_".join([identifier(tensor.name), *where, *([f"x{width}"] if width > 1 else [])])
        kind = self.vector_type(tensor.dtype, width) if width > 1 else CTYPE[tensor.dtype]
        self.registers[-1][name] = kind
        return name

    def value(self, e: Expr, dtype: str, v: str, width: int) -> str:  # noqa: PLR0911 - one a kind of expression
        """An expression of values; with lanes, a vector."""
        match e:
            case Const():
                return self.spread(literal(e.value, dtype), dtype, width)
            case Load():
                return self.load(e, v, width)
            case Binary(op=("max" | "min")):
                a, b = self.value(e.a, dtype, v, width), self.value(e.b, dtype, v, width)
                return f"{self.helper(e.op, dtype, width)}({a}, {b})"
            case Binary():
                return f"({self.value(e.a, dtype, v, width)} {e.op} {self.value(e.b, dtype, v, width)})"
            case Call():
                return f"{self.helper(e.name, dtype, width)}({self.value(e.x, dtype, v, width)})"
            case Select() if width > 1:
                return self.gather([substitute(e, {v: Const(i)}) for i in range(width)], dtype)
            case Select():
                yes, no = self.value(e.yes, dtype, "", 1), self.value(e.no, dtype, "", 1)
                return f"({condition(e.condition)} ? {yes} : {no})"
        raise TypeError(f"{type(e).__name__} is no value of this compiler.")

    def load(self, e: Load, v: str, width: int) -> str:
        """An element; or the same element in all lanes, neighbours, or one after the other."""
        if e.tensor.scope == "register":
            return self.register(e.tensor, e.index, v, width)
        flat, name = flatten(e.tensor, e.index), identifier(e.tensor.name)
        step = stride(flat, v) if width > 1 else 0
        if step == 0:
            return self.spread(f"{name}[{index(flat)}]", e.tensor.dtype, width)
        if step == 1:
            kind = self.vector_type(e.tensor.dtype, width)
            return f"*(const {kind}_at *)&{name}[{index(substitute(flat, {v: Const(0)}))}]"
        each = [Load(e.tensor, tuple(substitute(i, {v: Const(lane)}) for i in e.index)) for lane in range(width)]
        return self.gather(each, e.tensor.dtype)

    def gather(self, each: list[Expr] | list[Load], dtype: str) -> str:
        """A vector of these elements."""
        return f"({self.vector_type(dtype, len(each))}){{{', '.join(self.value(e, dtype, '', 1) for e in each)}}}"

    def spread(self, scalar: str, dtype: str, width: int) -> str:
        """A scalar in every lane."""
        return scalar if width == 1 else f"{self.helper('spread', dtype, width)}({scalar})"

    def helper(self, name: str, dtype: str, width: int) -> str:
        """The name of a small function, which the preamble then defines."""
        if width > 1:
            self.vector_type(dtype, width)
        self.helpers.add((name, dtype, width))
        return f"{name}_{CTYPE[dtype]}{width}"

    def vector_type(self, dtype: str, width: int) -> str:
        """The name of a vector type, which the preamble then defines; with `_at`, one that lies in memory of elements."""
        self.types.add((dtype, width))
        return f"{CTYPE[dtype]}x{width}"

    def preamble(self) -> Iterator[str]:
        """Types and small functions that the body uses."""
        yield "#include <math.h>"
        yield "#include <stdlib.h>"
        for dtype, width in sorted(self.types):
            kind, size = f"{CTYPE[dtype]}x{width}", SIZE[dtype]
            vector = f"vector_size({width * size})"
            yield f"typedef {CTYPE[dtype]} {kind} __attribute__(({vector}));"
            yield f"typedef {CTYPE[dtype]} {kind}_at __attribute__(({vector}, aligned({size}), may_alias));"
        for name, dtype, width in sorted(self.helpers):
            yield helper_text(name, dtype, width)
