"""The small words of C: names, numbers, indices, and functions on scalars or on the lanes of a vector.

Idea      What a loop nest says in one operation may take C a line: the larger of two with NaN as numpy has it, a function of each lane, a
          number to its last bit.
Equation  lanes of a loop of n: the binary digits of n, at most as wide as a register
Paper     ISO/IEC 9899:2018, 6.4.4.2 (hexadecimal floating constants).
Cost      None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlsys_core.compiler.expressions import COMPARISONS, Binary, Const, Expr, Var
from mlsys_core.compiler.ir import Tensor

CTYPE = {"float32": "float", "float64": "double", "int32": "int", "int64": "long"}
ABSOLUTE = {"float": "fabsf", "double": "fabs", "int": "abs", "long": "labs"}
SIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8}


def identifier(name: str) -> str:
    """A name as C may have it."""
    return name.replace(".", "_")


def lanes(extent: int, most: int) -> Iterator[tuple[int, int]]:
    """A vectorized loop as pieces (start, lanes): powers of two, the widest first."""
    start = 0
    while start < extent:
        width = min(most, 1 << ((extent - start).bit_length() - 1))
        yield start, width
        start += width


def helper_text(name: str, dtype: str, width: int) -> str:
    """A small function on scalars or on vectors."""
    scalar = CTYPE[dtype]
    kind = scalar if width == 1 else f"{scalar}x{width}"
    head = f"static inline {kind} {name}_{scalar}{width}"
    if name == "spread":
        return f"{head}({scalar} x) {{ return x - ({kind}){{}}; }}"
    if name in {"max", "min"}:
        # NaN where either is, as numpy has it
        first = f"(a {'>' if name == 'max' else '<'} b) | (a != a)"
        if width == 1:
            return f"{head}({kind} a, {kind} b) {{ return {first} ? a : b; }}"
        both = f"({kind})(((mask)a & m) | ((mask)b & ~m))"
        return f"{head}({kind} a, {kind} b) {{ typedef __typeof__(a < b) mask; mask m = {first}; return {both}; }}"
    function = ABSOLUTE[scalar] if name == "abs" else f"{name}f" if scalar == "float" else name
    if width == 1:
        return f"{head}({kind} x) {{ return {function}(x); }}"
    return f"{head}({kind} x) {{ return ({kind}){{{', '.join(f'{function}(x[{i}])' for i in range(width))}}}; }}"


def flatten(tensor: Tensor, at: tuple[Expr, ...]) -> Expr:
    """The place of an element in a row-major array."""
    flat: Expr = Const(0)
    for d, i in enumerate(at):
        flat = flat + i * math.prod(tensor.shape[d + 1 :])
    return flat


def index(e: Expr) -> str:
    """An index in C; what is divided is never negative, so its division is Python's."""
    match e:
        case Const():
            return str(e.value)
        case Var():
            return identifier(e.name)
        case Binary():
            return f"({index(e.a)} {'/' if e.op == '//' else e.op} {index(e.b)})"
    raise TypeError(f"{type(e).__name__} is no index.")


def condition(e: Expr) -> str:
    """A comparison of indices in C."""
    if isinstance(e, Binary) and e.op in COMPARISONS:
        return f"({condition(e.a)} {'&&' if e.op == 'and' else e.op} {condition(e.b)})"
    return index(e)


def literal(value: float, dtype: str) -> str:
    """A number in C, to the last bit."""
    if dtype.startswith("int"):
        lowest = -(1 << (8 * SIZE[dtype] - 1))
        suffix = "L" if dtype == "int64" else ""
        return f"({int(value) + 1}{suffix} - 1)" if value == lowest else f"{int(value)}{suffix}"
    end = "f" if dtype == "float32" else ""
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}INFINITY"
    short = float(value).is_integer() and abs(value) < 1 << 24
    return f"{float(value) if short else float(value).hex()}{end}"
