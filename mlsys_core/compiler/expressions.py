"""What a loop computes and where it reads: small trees of constants, loop variables, loads and operations.

Idea      Values and indices are expressions of one kind. Because they are data, a compiler can ask of them what it needs to know: which
          variables one depends on, how far apart two neighbours of a loop lie in memory, between which bounds an index stays.
Equation  stride of e in v:  e(v + 1) - e(v), where it is the same everywhere       bounds of e: interval arithmetic over the loops
Paper     J. Ragan-Kelley et al., "Halide", PLDI 2013, section 4 (interval analysis of bounds); R. E. Moore, "Interval Analysis", 1966.
Cost      Every question is one walk over the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from mlsys_core.compiler.ir import Tensor

Number: TypeAlias = int | float
COMPARISONS = ("<", "<=", "==", "and")


class Expr:
    """An expression; Python's operators make larger ones. Numbers may stand on either side."""

    def __add__(self, other: Expr | Number) -> Expr:
        return binary("+", self, other)

    def __radd__(self, other: Number) -> Expr:
        return binary("+", other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return binary("-", self, other)

    def __rsub__(self, other: Number) -> Expr:
        return binary("-", other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return binary("*", self, other)

    def __rmul__(self, other: Number) -> Expr:
        return binary("*", other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return binary("/", self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return binary("/", other, self)

    def __floordiv__(self, other: int) -> Expr:
        return binary("//", self, other)

    def __mod__(self, other: int) -> Expr:
        return binary("%", self, other)

    def __lt__(self, other: Expr | Number) -> Expr:
        return binary("<", self, other)

    def __le__(self, other: Expr | Number) -> Expr:
        return binary("<=", self, other)

    def __neg__(self) -> Expr:
        return binary("-", Const(0), self)

    def __and__(self, other: Expr) -> Expr:
        return binary("and", self, other)


@dataclass(frozen=True)
class Const(Expr):
    """A number."""

    value: Number


@dataclass(frozen=True)
class Var(Expr):
    """A loop's variable, a whole number from 0 on."""

    name: str


@dataclass(frozen=True)
class Load(Expr):
    """One element of a tensor."""

    tensor: Tensor
    index: tuple[Expr, ...]


@dataclass(frozen=True)
class Binary(Expr):
    """An operation on two: + - * / // % max min < <= == and."""

    op: str
    a: Expr
    b: Expr


@dataclass(frozen=True)
class Call(Expr):
    """A function of one number, by name: exp, log, sqrt, tanh, abs."""

    name: str
    x: Expr


@dataclass(frozen=True)
class Select(Expr):
    """One of two values; the other is not evaluated, so it may read outside of a tensor."""

    condition: Expr
    yes: Expr
    no: Expr


def wrap(x: Expr | Number) -> Expr:
    """A number as an expression."""
    return x if isinstance(x, Expr) else Const(x)


def is_index(e: Expr) -> bool:
    """Whether an expression is made of whole numbers and loop variables only, so that the laws of integers hold for it."""
    if isinstance(e, Binary):
        return e.op != "/" and is_index(e.a) and is_index(e.b)
    return isinstance(e, Var) or (isinstance(e, Const) and isinstance(e.value, int))


WHOLE: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
# (operation, its right operand) that leave the left operand as it is
NEUTRAL = {("+", 0), ("-", 0), ("*", 1), ("//", 1)}


def binary(op: str, x: Expr | Number, y: Expr | Number) -> Expr:  # noqa: PLR0911 - one a law
    """The operation, simplified where it is one on indices: constants are folded, and what changes nothing is left out."""
    a, b = wrap(x), wrap(y)
    if op not in WHOLE or not (is_index(a) and is_index(b)):
        return Binary(op, a, b)
    left, right = _whole(a), _whole(b)
    if left is not None and right is not None:
        return Const(WHOLE[op](left, right))
    if (op, right) in NEUTRAL:
        return a
    if (op, left) in {("+", 0), ("*", 1)}:
        return b
    if (op == "*" and 0 in {left, right}) or (op, right) == ("%", 1):
        return Const(0)
    if op == "+" and right is not None and isinstance(a, Binary) and a.op == "+" and (inner := _whole(a.b)) is not None:
        return binary("+", a.a, inner + right)
    if op == "*" and right is not None and isinstance(a, Binary) and a.op == "*" and (inner := _whole(a.b)) is not None:
        return binary("*", a.a, inner * right)
    return Binary(op, a, b)


def _whole(e: Expr) -> int | None:
    return e.value if isinstance(e, Const) and isinstance(e.value, int) else None


def children(e: Expr) -> tuple[Expr, ...]:
    """The expressions that an expression is made of."""
    match e:
        case Load():
            return e.index
        case Binary():
            return e.a, e.b
        case Call():
            return (e.x,)
        case Select():
            return e.condition, e.yes, e.no
    return ()


def walk(e: Expr) -> Iterator[Expr]:
    """An expression and all within it."""
    yield e
    for child in children(e):
        yield from walk(child)


def loads(e: Expr) -> list[Load]:
    """The loads in an expression, from left to right."""
    return [x for x in walk(e) if isinstance(x, Load)]


def variables(e: Expr) -> set[str]:
    """Names of the loop variables in an expression."""
    return {x.name for x in walk(e) if isinstance(x, Var)}


def rewrite(e: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with every part, from the outside in, for which `change` has something else; parts of that are left alone."""
    new = change(e)
    if new is not None:
        return new
    match e:
        case Load():
            return Load(e.tensor, tuple(rewrite(i, change) for i in e.index))
        case Binary():
            return binary(e.op, rewrite(e.a, change), rewrite(e.b, change))
        case Call():
            return Call(e.name, rewrite(e.x, change))
        case Select():
            return Select(rewrite(e.condition, change), rewrite(e.yes, change), rewrite(e.no, change))
    return e


def substitute(e: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with loop variables replaced."""
    return rewrite(e, lambda x: values.get(x.name) if isinstance(x, Var) else None)


def stride(e: Expr, name: str) -> int | None:
    """How much an index grows when a loop variable grows by one; None where that is not the same everywhere."""
    if name not in variables(e):
        return 0
    if isinstance(e, Var):
        return 1
    if not isinstance(e, Binary) or e.op not in {"+", "-", "*"}:
        return None
    a, b = stride(e.a, name), stride(e.b, name)
    if a is None or b is None:
        return None
    if e.op == "*":
        by = _whole(e.b) if b == 0 else _whole(e.a)
        return None if by is None else (a or b) * by
    return a + b if e.op == "+" else a - b


def bounds(e: Expr, extents: Mapping[str, int]) -> tuple[int, int]:
    """The least and the greatest value of an index while each variable runs from 0 to its extent - 1; those not named stand at 0."""
    if isinstance(e, Const):
        return int(e.value), int(e.value)
    if isinstance(e, Var):
        return 0, extents.get(e.name, 1) - 1
    if not isinstance(e, Binary) or e.op not in WHOLE:
        raise ValueError(f"{e} is no index: it has to be made of loop variables, whole numbers, + - * // and %.")
    (a, b), (c, d) = bounds(e.a, extents), bounds(e.b, extents)
    if e.op == "%":
        return (a, b) if a >= 0 and b < c else (0, c - 1)
    corners = [WHOLE[e.op](x, y) for x in (a, b) for y in (c, d)]
    return min(corners), max(corners)
