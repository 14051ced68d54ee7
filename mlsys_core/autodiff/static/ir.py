"""The static graph: an immutable list of operations on arrays, each with its shape and its type.

Idea      A program that has been written down can be changed before it runs. Each value is computed once (static single
          assignment), so a pass is a function from a graph to a graph, and a value is named by the place of its node.
Equation  v_i = f_i(v_j, …), j < i: the order of the nodes is an order in which they can run.
Paper     R. Cytron et al., "Efficiently computing static single assignment form and the control dependence graph",
          TOPLAS 13(4), 1991; J. Reed, Z. DeVito, H. He, A. Ussery, J. Ansel, "torch.fx", MLSys 2022.
Cost      One small object an operation, and the arrays of the constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from mlsys_core.autodiff.tape import Array

# elementwise: result[i] depends on operands[i] alone      view: the result shares the memory of the first operand
# random: draws numbers, so two calls differ               fused: several elementwise operations in one pass over memory
Kind: TypeAlias = Literal["input", "constant", "elementwise", "view", "random", "fused", "other"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of arrays with a name; `takes_out` says whether it writes into the array given as out=."""

    name: str
    kind: Kind
    run: Callable[..., Any]
    takes_out: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """The value of the node at this place of the graph."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation: `args` and `options` hold numbers, tuples, slices and Refs; `value` is the array of a constant.

    `order` lists the axes of the result from the longest stride to the shortest: sums depend on it in their last bit.
    """

    op: Operation
    args: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: tuple[int, ...]
    value: Array | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the result."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def empty(self, memory: Array | None = None) -> Array:
        """An array for the result, laid out as numpy lays it out: new, or over the first bytes of `memory` (uint8)."""
        lengths = tuple(self.shape[i] for i in self.order)
        flat = (
            np.empty(lengths, self.dtype) if memory is None else memory[: self.nbytes].view(self.dtype).reshape(lengths)
        )
        return flat.transpose(tuple(int(i) for i in np.argsort(self.order)))

    @property
    def inputs(self) -> tuple[int, ...]:
        """Places of the nodes that this one reads, in the order of its arguments."""
        return tuple(ref.index for ref in refs((self.args, self.options)))


INPUT = Operation("input", "input", lambda: None)
CONSTANT = Operation("constant", "constant", lambda: None)


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in an order in which they can run; `inputs` and `outputs` are places.

    Each of `guards` is a place and the truth that its value had while tracing: the program branched on it.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    guards: tuple[tuple[int, bool], ...] = ()

    @property
    def roots(self) -> tuple[int, ...]:
        """Places whose values are wanted: outputs and guards."""
        return (*self.outputs, *(place for place, _ in self.guards))

    def users(self) -> list[list[int]]:
        """For each node the places of the nodes that read it, each once."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for j in dict.fromkeys(node.inputs):
                found[j].append(i)
        return found

    def count(self, name: str | None = None) -> int:
        """How many operations there are, inputs and constants apart, or how many have this name."""
        return sum(n.op.name == name if name else n.op.kind not in {"input", "constant"} for n in self.nodes)


def order_of(x: Array) -> tuple[int, ...]:
    """Axes from the longest stride to the shortest; of equal ones the first comes first."""
    return tuple(sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))) if x.size else tuple(range(x.ndim))


def refs(tree: Any) -> Iterator[Ref]:
    """The Refs in nested tuples and slices, in order."""
    if isinstance(tree, Ref):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from refs(item)
    elif isinstance(tree, slice):
        yield from refs((tree.start, tree.stop, tree.step))


def replace(tree: Any, of: Callable[[int], Any]) -> Any:
    """The tree with of(place) in place of every Ref."""
    if isinstance(tree, Ref):
        return of(tree.index)
    if isinstance(tree, tuple | list):
        return type(tree)(replace(item, of) for item in tree)
    if isinstance(tree, slice):
        return slice(replace(tree.start, of), replace(tree.stop, of), replace(tree.step, of))
    return tree


def binder(args: tuple[Any, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What puts values in place of the Refs in args; quick where none is nested, since it runs at every step."""
    flat = [(x.index, None) if isinstance(x, Ref) else (-1, x) for x in args]
    if len(list(refs(args))) == sum(i >= 0 for i, _ in flat):
        return lambda values: tuple([x if i < 0 else values[i] for i, x in flat])
    return lambda values: replace(args, values.__getitem__)


def rebuild(graph: Graph, keep: list[int], target: dict[int, int] | None = None) -> Graph:
    """The graph of the nodes at `keep`, in that order; a reader of place i reads what is at target[i] instead."""
    target = target or {}
    place = {old: new for new, old in enumerate(keep)}

    def moved(old: int) -> int:
        return place[target.get(old, old)]

    def renamed(node: Node) -> Node:
        args, options = replace((node.args, node.options), lambda old: Ref(moved(old)))
        return Node(node.op, args, options, node.shape, node.dtype, node.order, node.value)

    return Graph(
        tuple(renamed(graph.nodes[i]) for i in keep),
        tuple(moved(i) for i in graph.inputs),
        tuple(moved(i) for i in graph.outputs),
        tuple((moved(i), truth) for i, truth in graph.guards),
    )
