"""Tensors and how they are computed, and the loop nests that this becomes.

Idea      Two languages. The first says what an element is: axes, a reduction, an expression. The second says in which order elements
          are visited: loops, stores, buffers. A schedule leads from the first to the second, and only the second has an order to change.
Equation  C[i, j] = post(⊕_k body(i, j, k))
Paper     J. Ragan-Kelley et al., "Halide", PLDI 2013 (algorithm and schedule); T. Chen et al., "TVM", OSDI 2018 (tensor expressions);
          S. Feng et al., "TensorIR", ASPLOS 2023 (loop nests as the thing that is transformed).
Cost      None: these are descriptions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mlsys_core.compiler.expressions import Binary, Call, Const, Expr, Load, Select, Var, loads, substitute

DTYPES = ("float32", "float64", "int32", "int64")
# what each reduction starts from; the largest and the smallest number stand for infinity in the whole numbers
REDUCTIONS = {"+": 0, "*": 1, "max": float("-inf"), "min": float("inf")}


@dataclass(frozen=True)
class Axis:
    """A loop of a definition, from 0 to extent - 1; one that reduces is not an axis of the result."""

    name: str
    extent: int
    reduces: bool = False


@dataclass(frozen=True)
class Reduction:
    """⊕ of a body over axes, by one of + * max min."""

    op: str
    body: Expr
    axes: tuple[Axis, ...]


@dataclass(frozen=True, eq=False)
class Compute:
    """The definition of a tensor's elements.

    axes     one for each dimension of the result
    reduces  the axes of the reduction, none where there is none
    op       of the reduction
    body     an element, or a term of the reduction
    post     what becomes of a reduced element, as an expression that loads the result's own element; None for nothing
    """

    axes: tuple[Axis, ...]
    reduces: tuple[Axis, ...]
    op: str
    body: Expr
    post: Expr | None = None

    def reads(self) -> list[Load]:
        """Every load in the definition."""
        return loads(self.body) + (loads(self.post) if self.post is not None else [])


@dataclass(frozen=True, eq=False)
class Tensor:
    """A dense row-major array by name. `compute` says what its elements are; an input has none."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    compute: Compute | None = None
    scope: str = "argument"  # or `local`, a buffer, or `register`, one whose every element has a name of its own

    def __getitem__(self, index: Expr | int | tuple[Expr | int, ...]) -> Load:
        each = index if isinstance(index, tuple) else (index,)
        if len(each) != len(self.shape):
            raise ValueError(f"{self.name} has {len(self.shape)} dimensions and was given {len(each)} indices.")
        return Load(self, tuple(i if isinstance(i, Expr) else Const(i) for i in each))

    def __repr__(self) -> str:
        return f"{self.name}{list(self.shape)}:{self.dtype}"


def placeholder(name: str, shape: Sequence[int], dtype: str = "float32") -> Tensor:
    """An input. Raises ValueError for a dtype that no back end has, or a dimension below 1."""
    if dtype not in DTYPES:
        raise ValueError(f"{name} has dtype {dtype}; the compiler has {', '.join(DTYPES)}.")
    if min(shape, default=1) < 1:
        raise ValueError(f"{name} has shape {tuple(shape)}; every dimension must be at least 1.")
    return Tensor(name, tuple(shape), dtype)


def reduce_axis(name: str, extent: int) -> Axis:
    """An axis for `reduction`."""
    return Axis(name, extent, reduces=True)


def reduction(op: str, body: Expr, *axes: Axis) -> Reduction:
    """Reduces a body over axes; only as the whole of a definition."""
    if op not in REDUCTIONS:
        raise ValueError(f"There is no reduction {op!r}; there are {', '.join(REDUCTIONS)}.")
    return Reduction(op, body, axes)


def compute(name: str, shape: Sequence[int], element: Callable[..., Expr | Reduction]) -> Tensor:
    """The tensor whose element at i, j, … is `element(i, j, …)`; the parameters' names become the axes' names.

    Raises ValueError where what it reads has several dtypes, or nothing is read.
    """
    names = list(inspect.signature(element).parameters)
    if len(names) != len(shape):
        raise ValueError(f"{name} has {len(shape)} dimensions and its definition {len(names)} parameters.")
    axes = tuple(Axis(axis, extent) for axis, extent in zip(names, shape, strict=True))
    made = element(*(Var(axis) for axis in names))
    term = made if isinstance(made, Reduction) else Reduction("+", made, ())
    if len({axis.name for axis in axes + term.axes}) < len(axes) + len(term.axes):
        raise ValueError(f"Two axes of {name} have one name, so no schedule could speak of either.")
    dtypes = {load.tensor.dtype for load in loads(term.body)}
    if len(dtypes) != 1:
        raise ValueError(f"{name} reads tensors of dtypes {sorted(dtypes)}; a definition has one dtype.")
    return Tensor(name, tuple(shape), dtypes.pop(), Compute(axes, term.axes, term.op, term.body))


@dataclass(frozen=True)
class For:
    """A loop from 0 to extent - 1; its kind is serial, parallel, vectorize or unroll."""

    var: str
    extent: int
    kind: str
    body: tuple[Stmt, ...]


@dataclass(frozen=True)
class Store:
    """Writes one element."""

    tensor: Tensor
    index: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True)
class Local:
    """A buffer that exists while its body runs; what it holds before it is written is not defined."""

    tensor: Tensor
    body: tuple[Stmt, ...]


Stmt: TypeAlias = For | Store | Local


@dataclass(frozen=True, eq=False)
class Program:
    """A loop nest with its arguments: inputs, the outputs it fills, and workspaces it also fills."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    workspaces: tuple[Tensor, ...]
    body: tuple[Stmt, ...]

    def __str__(self) -> str:
        return "\n".join(show(s) for s in self.body)


def bind(s: Stmt, values: dict[str, Expr]) -> Stmt:
    """The statement with loop variables replaced."""
    if isinstance(s, Store):
        return Store(s.tensor, tuple(substitute(i, values) for i in s.index), substitute(s.value, values))
    body = tuple(bind(inner, values) for inner in s.body)
    return Local(s.tensor, body) if isinstance(s, Local) else For(s.var, s.extent, s.kind, body)


def show(s: Stmt, indent: str = "") -> str:
    """A statement as text."""
    match s:
        case Store():
            return f"{indent}{text(Load(s.tensor, s.index))} = {text(s.value)}"
        case For():
            head = f"{indent}for {s.var} in 0..{s.extent}{'' if s.kind == 'serial' else ' ' + s.kind}:"
        case Local():
            head = f"{indent}with {s.tensor.name}[{', '.join(map(str, s.tensor.shape))}] in {s.tensor.scope}:"
    return "\n".join([head, *(show(inner, indent + "  ") for inner in s.body)])


LEVEL = {"and": 0, "<": 1, "<=": 1, "==": 1, "+": 2, "-": 2, "*": 3, "/": 3, "//": 3, "%": 3}


def text(e: Expr, above: int = 0) -> str:  # noqa: PLR0911 - one a kind of expression
    """An expression as text, with the parentheses that it needs below an operation of this level."""
    match e:
        case Const():
            return f"{e.value:g}" if isinstance(e.value, float) else str(e.value)
        case Var():
            return e.name
        case Load():
            return f"{e.tensor.name}[{', '.join(text(i) for i in e.index)}]"
        case Call():
            return f"{e.name}({text(e.x)})"
        case Select():
            return f"select({text(e.condition)}, {text(e.yes)}, {text(e.no)})"
        case Binary(op=("max" | "min")):
            return f"{e.op}({text(e.a)}, {text(e.b)})"
        case Binary():
            level = LEVEL[e.op]
            inside = f"{text(e.a, level)} {e.op} {text(e.b, level + 1)}"
            return f"({inside})" if level < above else inside
    raise TypeError(f"{type(e).__name__} is no expression of this compiler.")
