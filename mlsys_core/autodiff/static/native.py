"""A fused kernel in C, built with the host's compiler while the program runs.

Idea      A chain of additions, products, comparisons and choices is one loop whose intermediate values live in registers.
          Shapes and strides are known, so they are written into the source as numbers and the compiler vectorises.
Equation  for i: r[i] = f_k(… f₁(x[i], y[i]) …)
Paper     F. Bellard, "TCC", 2002, and S. Behnel et al., "Cython", CiSE 2011 (C as the target of a higher language);
          J. Ansel et al., "PyTorch 2", ASPLOS 2024 (its C++ backend for CPUs).
Cost      About 0.1 s a kernel to compile, once a process. Without a compiler, or for steps that C does not round as numpy
          does (exp, tanh, …), there is no native function, and the kernel runs in tiles.

IEEE 754 defines + - × ÷ √ and comparisons to the last bit; contraction of a × b + c into one rounding is switched off.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlsys_core.autodiff.static.ir import Ref
from mlsys_core.autodiff.tape import Array
from mlsys_core.host_compiler import find_compiler

if TYPE_CHECKING:
    from mlsys_core.autodiff.static.kernel import Step

Function: TypeAlias = Callable[[list[Array]], None]
TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double", np.dtype(np.bool_): "unsigned char"}
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
# operands are a, b, c; t is the type in which numpy computes
ARITHMETIC = {
    "add": "{a} + {b}",
    "subtract": "{a} - {b}",
    "multiply": "{a} * {b}",
    "divide": "{a} / {b}",
    "negative": "-{a}",
    "reciprocal": "1 / {a}",
    "square": "{a} * {a}",
    "sqrt": "__builtin_sqrt{f}({a})",
    "absolute": "__builtin_fabs{f}({a})",
    # NaN wins, as in numpy
    "maximum": "({a} > {b} || {a} != {a}) ? {a} : {b}",
    "minimum": "({a} < {b} || {a} != {a}) ? {a} : {b}",
}
COMPARISONS = {
    "greater": ">",
    "greater_equal": ">=",
    "less": "<",
    "less_equal": "<=",
    "equal": "==",
    "not_equal": "!=",
}


def _operand(x: Any, types: list[Any]) -> tuple[str, Any]:
    """An argument as a C expression, and its type for numpy's promotion: a Python number has its own, which is weak."""
    if isinstance(x, Ref):
        return f"v{x.index}", types[x.index]
    value = float(x)
    text = value.hex() if np.isfinite(value) else '__builtin_nan("")' if value != value else "__builtin_inf()"  # noqa: PLR0124
    return f"({'-' if value == -np.inf else ''}{text})", x.dtype if isinstance(x, np.generic) else x


def _expression(step: Step, types: list[Any]) -> str | None:
    """The step in C, or None when C cannot promise numpy's bits."""
    if step.options or step.dtype not in TYPES:
        return None
    return _moved(step, types) if step.op.name in {"cast", "where"} else _computed(step, types)


def _moved(step: Step, types: list[Any]) -> str:
    """A cast or a choice, which compute nothing."""
    if step.op.name == "cast":
        text, kind = _operand(step.args[0], types)
        return f"{text} != 0" if step.dtype == np.bool_ and kind != np.bool_ else text
    mask, a, b = (_operand(x, types)[0] for x in step.args)
    return f"{mask} ? ({TYPES[step.dtype]}){a} : ({TYPES[step.dtype]}){b}"


def _computed(step: Step, types: list[Any]) -> str | None:
    """Arithmetic or a comparison in the type that numpy computes in; None for other functions and types."""
    operands = [_operand(x, types) for x in step.args]
    computed = np.result_type(*(kind for _, kind in operands))
    if computed.kind != "f" or computed not in TYPES:
        return None
    texts = [f"(({TYPES[computed]}){text})" for text, _ in operands]
    if step.op.name in COMPARISONS:
        return f"{texts[0]} {COMPARISONS[step.op.name]} {texts[1]}"
    if step.op.name not in ARITHMETIC:
        return None
    return ARITHMETIC[step.op.name].format(a=texts[0], b=texts[-1], f="f" if computed == np.float32 else "")


def _loops(arrays: Sequence[Array]) -> tuple[list[int], list[list[int]]]:
    """Lengths of the loops and the strides of each array in elements; neighbouring axes are one loop where all agree."""
    lengths: list[int] = []
    strides: list[list[int]] = [[] for _ in arrays]
    for axis, n in enumerate(arrays[-1].shape):
        if n == 1:
            continue
        step = [x.strides[axis] // x.itemsize for x in arrays]
        if lengths and all(s[-1] == mine * n for s, mine in zip(strides, step, strict=True)):
            lengths[-1] *= n
            for s, mine in zip(strides, step, strict=True):
                s[-1] = mine
        else:
            lengths.append(n)
            for s, mine in zip(strides, step, strict=True):
                s.append(mine)
    return lengths, strides


def source(steps: Sequence[Step], views: Sequence[Array], target: Array) -> str | None:
    """The C function `kernel(void **arrays)` for arrays of these layouts, or None when a step cannot be written in C."""
    arrays = [*views, target]
    if any(x.dtype not in TYPES or any(s % x.itemsize for s in x.strides) for x in arrays):
        return None
    types: list[Any] = [x.dtype for x in views]
    lines = []
    for step in steps:
        text = _expression(step, types)
        if text is None:
            return None
        lines.append(f"const {TYPES[step.dtype]} v{len(types)} = {text};")
        types.append(step.dtype)
    lengths, strides = _loops(arrays)
    at = [" + ".join(f"i{k} * {s}L" for k, s in enumerate(row)) or "0" for row in strides]
    reads = [f"const {TYPES[x.dtype]} v{j} = x{j}[{at[j]}];" for j, x in enumerate(views)]
    names = [f"{TYPES[x.dtype]} *x{j} = arrays[{j}];" for j, x in enumerate(arrays)]
    loops = [f"for (long i{k} = 0; i{k} < {n}L; i{k}++)" for k, n in enumerate(lengths)]
    # the result may be the memory of a leaf: each element is read before it is written, and no other is touched
    if loops:
        loops.insert(-1, "#pragma GCC ivdep")
    body = [*reads, *lines, f"x{len(views)}[{at[-1]}] = v{len(types) - 1};"]
    return "\n".join(["void kernel(void **arrays) {", *names, *loops, "{", *body, "}", "}", ""])


@cache
def compiler() -> str | None:
    """The machine's C compiler, looked for once; None where there is none."""
    return find_compiler()


@cache
def _built(text: str) -> Any:
    """The compiled function of a source, or None when the compiler refuses."""
    program = compiler()
    if program is None:
        return None
    # a folder that nobody else can put a library into, gone as soon as the library is loaded
    with tempfile.TemporaryDirectory(prefix="mlsys_core-") as folder:
        written, library = Path(folder, "kernel.c"), Path(folder, "kernel.so")
        written.write_text(text)
        command = [program, *FLAGS, "-o", str(library), str(written)]
        if subprocess.run(command, capture_output=True, check=False).returncode:  # noqa: S603 - our own source
            return None
        return ctypes.CDLL(str(library)).kernel


def compiled(steps: Sequence[Step], views: Sequence[Array], target: Array) -> Function | None:
    """A function that runs the steps on arrays of these layouts, the result last; None where there can be none."""
    text = source(steps, views, target)
    kernel = _built(text) if text is not None else None
    if kernel is None:
        return None

    def run(arrays: list[Array]) -> None:
        kernel((ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays)))

    return run
