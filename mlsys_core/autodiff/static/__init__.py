"""Static graphs: a traced program that is improved before it runs.

Read `ir` (what a graph is), `tracer`, `recorder` and `trace` (how one is made), `passes` (how it gets better), `kernel`
and `native` (how fused nodes run), `memory` (where results lie), `execute` (how it runs), `render` (how it looks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlsys_core.autodiff.static.execute import Executor, GuardError
from mlsys_core.autodiff.static.ir import Graph, Node, Operation, Ref
from mlsys_core.autodiff.static.memory import Plan, lower_bound, plan
from mlsys_core.autodiff.static.passes import PassManager, freeze, optimize
from mlsys_core.autodiff.static.recorder import TraceError
from mlsys_core.autodiff.static.render import dot, text
from mlsys_core.autodiff.static.trace import trace
from mlsys_core.autodiff.tensor import Tensor

__all__ = [
    "Executor",
    "Graph",
    "GuardError",
    "Node",
    "Operation",
    "PassManager",
    "Plan",
    "Ref",
    "TraceError",
    "compile",
    "dot",
    "freeze",
    "lower_bound",
    "optimize",
    "plan",
    "text",
    "trace",
]


def compile(f: Callable[..., Any], *examples: Any, captured: Sequence[Tensor] = ()) -> Executor:  # noqa: A001 - the field's name
    """f as a static graph that is traced at the examples, optimised and planned; see `trace`.

    The result is called with arguments like the examples and then the captured tensors, and gives a tuple of arrays.
    """
    graph = optimize(trace(f, *examples, captured=captured))
    return Executor(graph, plan(graph))
