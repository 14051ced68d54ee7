"""From what mlsys_core.autodiff recorded to definitions: each operation on elements one definition, ready to be fused.

Idea      A recorded expression is a graph of operations, and so is a program of this compiler. Elementwise operations are translated one by
          one; inlining then makes one loop of them all. A gradient that was recorded as a graph is an expression like any other.
Equation  t = op(a, b)  →  T[i, j] = op(A[i, j], B[i, j]), with index 0 where an operand is broadcast
Paper     T. Chen et al., "TVM", OSDI 2018, section 3 (operator fusion); R. Frostig et al., "Compiling machine learning programs via
          high-level tracing", SysML 2018.
Cost      One definition an operation; none of them is left where all are inlined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlsys_core.autodiff.graph import tape
from mlsys_core.autodiff.tensor import Tensor as Recorded
from mlsys_core.compiler.expressions import Call, Const, Expr, Var
from mlsys_core.compiler.ir import Axis, Compute, Tensor, placeholder
from mlsys_core.compiler.operators import maximum
from mlsys_core.compiler.schedule import Schedule

AXES = ("n", "c", "i", "j")  # the last ones of them, for as many dimensions as there are
OPERATIONS: dict[str, Callable[..., Expr]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "maximum": maximum,
    "relu": lambda a: maximum(a, 0),
    "sigmoid": lambda a: 0.5 * Call("tanh", 0.5 * a) + 0.5,
    "exp": lambda a: Call("exp", a),
    "log": lambda a: Call("log", a),
    "sqrt": lambda a: Call("sqrt", a),
    "tanh": lambda a: Call("tanh", a),
    "abs": lambda a: Call("abs", a),
}


def definition_of(result: Recorded, inputs: Mapping[str, Recorded], name: str = "result") -> Tensor:
    """The definition of a recorded tensor of up to four dimensions; `inputs` names the leaves that it takes.

    Leaves with one element that are not named are constants. Raises ValueError for other leaves, and for operations that are not
    on elements.
    """
    known: dict[Recorded, Tensor] = {
        leaf: placeholder(given, leaf.shape, str(leaf.data.dtype)) for given, leaf in inputs.items()
    }
    nodes = tape((result,), frozenset(known))
    for number, node in enumerate(nodes):
        known[node] = _define(node, known, name if node is result else f"{node.op.name}_{number}")
    if not nodes:
        raise ValueError("The result is a leaf: nothing was recorded that could be compiled.")
    return known[result]


def _define(node: Recorded, known: dict[Recorded, Tensor], name: str) -> Tensor:
    if node.op.name not in OPERATIONS:
        raise ValueError(
            f"{node.op.name} is no operation on elements that the compiler has; it has {', '.join(sorted(OPERATIONS))}."
        )
    axes = tuple(
        Axis(axis, extent) for axis, extent in zip(AXES[len(AXES) - node.data.ndim :], node.shape, strict=True)
    )
    operands = [_element(parent, known, axes) for parent in node.parents]
    return Tensor(name, node.shape, str(node.data.dtype), Compute(axes, (), "+", OPERATIONS[node.op.name](*operands)))


def _element(parent: Recorded, known: dict[Recorded, Tensor], axes: tuple[Axis, ...]) -> Expr:
    """The element of an operand that belongs to these axes, by numpy's rules of broadcasting."""
    if parent not in known:
        if parent.data.size != 1:
            raise ValueError(
                f"A leaf of shape {parent.shape} is no constant and has no name; name it among the inputs."
            )
        return Const(parent.data.item())
    tensor = known[parent]
    last = axes[len(axes) - len(tensor.shape) :]
    return tensor[tuple(Const(0) if n == 1 else Var(axis.name) for axis, n in zip(last, tensor.shape, strict=True))]


def fused(result: Tensor) -> Schedule:
    """A schedule in which every definition behind an elementwise one is inlined: one loop nest, and no memory between."""
    schedule = Schedule(result)
    for name in list(schedule.stages):
        if name != result.name:
            schedule.inline(name)
    return schedule
