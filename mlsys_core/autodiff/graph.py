"""The reverse sweep: every derivative of one output in one pass over the graph, from the newest operation to the oldest.

Idea      A cotangent starts at the output; each operation hands its inputs their share; shares that meet are added. An
          operation is visited once, after all its users, because inputs are older than outputs.
Equation  x̄ = Σ_{y uses x} ȳ ∂y/∂x
Paper     S. Linnainmaa, "The representation of the cumulative rounding error of an algorithm as a Taylor expansion of the
          local rounding errors", MSc thesis, Helsinki, 1970; B. Speelpenning, PhD thesis, Illinois, 1980;
          A. Griewank, A. Walther, "Evaluating Derivatives", SIAM, 2nd ed. 2008, chapter 3.
Cost      At most about 4 times the operations of the forward pass for elementary operations, 3 in all for matrix products
          (one forward, two backward), whatever the number of inputs; memory in proportion to the trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from mlsys_core.autodiff.tape import FREED, LEAF, Array, Of, Value, asarray, recording
from mlsys_core.autodiff.tensor import Tensor

raw: Of = attrgetter("data")
_serial = attrgetter("serial")


def tracked(x: Tensor) -> Tensor:
    """The `of` of the world of graphs: rules compute with the tensors themselves, so what they compute is recorded."""
    return x


def tape(roots: Iterable[Tensor], stop: frozenset[Tensor] = frozenset()) -> list[Tensor]:
    """The recorded operations that the roots depend on, oldest first, each once; nothing behind a tensor in `stop`."""
    stack = [root for root in roots if root.op is not LEAF and root not in stop]
    seen = set(stack)
    while stack:
        for parent in stack.pop().parents:
            if parent.op is not LEAF and parent not in seen and parent not in stop:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=_serial)


def sum_to(cotangent: Value, shape: tuple[int, ...]) -> Value:
    """The transpose of broadcasting: sums a cotangent over the axes along which an operand of this shape was repeated."""
    extra = cotangent.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1 != cotangent.shape[extra + i])
    return cotangent.sum(axis=axes).reshape(shape)


def drained(nodes: list[Tensor], needed: set[Tensor]) -> Iterator[Tensor]:
    """The needed nodes, newest first, taken out of both, so that nothing here keeps alive what a sweep gives back."""
    while nodes:
        node = nodes.pop()
        if node in needed:
            needed.discard(node)
            yield node


def pull(
    nodes: Iterable[Tensor],
    cotangents: dict[Tensor, Value],
    of: Of,
    keep: frozenset[Tensor] = frozenset(),
    *,
    free: bool = False,
) -> None:
    """Sweeps over nodes, newest first, until `cotangents` holds only those of leaves, of `keep`, and of what is outside.

    Shares are added in place only into buffers that this sweep itself made. With `free` each node forgets what it held
    as soon as its share is known.
    """
    owned: set[Tensor] = set()
    kept: dict[Tensor, Value] = {}
    for node in nodes:
        cotangent = cotangents.pop(node, None)
        if cotangent is None:
            continue
        if node in keep:
            kept[node] = cotangent
        parents = node.parents
        # counted by hand: this loop is what one recorded operation costs, and a strict zip is a tenth of it
        at = 0
        for share in node.op.vjp(cotangent, node, of):
            parent = parents[at]
            at += 1
            if share is None or not parent.requires_grad:
                continue
            if share.shape != parent.data.shape:
                share = sum_to(share, parent.data.shape)  # noqa: PLW2901 - the same share, folded
            if parent not in cotangents:
                cotangents[parent] = share
            elif parent in owned:
                cotangents[parent] += share
            else:
                cotangents[parent] = cotangents[parent] + share
                owned.add(parent)
        if free:
            owned.discard(node)
            node.op, node.parents, node.saved = FREED, (), ()
            parents = ()
    cotangents.update(kept)


def backward(root: Tensor, cotangent: Any = None, *, create_graph: bool = False, retain_graph: bool = True) -> None:
    """Adds the gradient of root to `.grad` of the leaves behind it; see `Tensor.backward`."""
    seed = seed_of(root, cotangent)
    if not root.requires_grad:
        raise ValueError(
            "Nothing behind this tensor requires a gradient: give requires_grad=True to a leaf it is made of."
        )
    if create_graph:
        if not retain_graph:
            raise ValueError(
                "Gradients that are graphs need the graph that they were made from: leave retain_graph on."
            )
        with recording(on=True):
            cotangents: dict[Tensor, Value] = {root: seed}
            pull(reversed(tape((root,))), cotangents, tracked)
            for leaf, gradient in cotangents.items():
                # times 1 is a copy with a history: as in _deposit, people change gradients in place
                leaf.grad = gradient * 1.0 if leaf.grad is None else leaf.grad + gradient
        return
    cotangents = {root: seed.data}
    nodes = tape((root,))
    pull(reversed(nodes) if retain_graph else drained(nodes, set(nodes)), cotangents, raw, free=not retain_graph)
    taken = {id(_owner(seed.data))}
    for leaf, gradient in cotangents.items():
        _deposit(leaf, gradient, taken)


def _deposit(leaf: Tensor, gradient: Array, taken: set[int]) -> None:
    """Adds to `.grad`; two leaves never share memory there, since people change gradients in place."""
    if leaf.grad is not None:
        leaf.grad = Tensor(leaf.grad.data + gradient, dtype=leaf.data.dtype)
        return
    gradient = asarray(gradient, leaf.data.dtype)
    owner = id(_owner(gradient))
    leaf.grad = Tensor(gradient.copy() if owner in taken or not gradient.flags.writeable else gradient)
    taken.add(owner)


def _owner(array: Array) -> Any:
    return array if array.base is None else array.base


def seed_of(root: Tensor, cotangent: Any) -> Tensor:
    """The cotangent that a sweep starts with: the one given, checked, or 1 for a tensor with one element."""
    if cotangent is None:
        if root.data.size != 1:
            raise ValueError(
                f"The shape is {root.shape}, so the sweep needs a cotangent of that shape; only one element has a default."
            )
        return Tensor(np.ones_like(root.data))
    seed = cotangent if isinstance(cotangent, Tensor) else Tensor(cotangent, dtype=root.data.dtype)
    if seed.shape != root.shape:
        raise ValueError(
            f"The cotangent has shape {seed.shape} and the tensor has {root.shape}; they must be the same."
        )
    return seed


def gradients(
    roots: Sequence[Tensor],
    seeds: Sequence[Tensor],
    inputs: Sequence[Tensor],
    of: Of,
    *,
    stop: bool = False,
    free: bool = False,
) -> list[Value]:
    """Cotangents of the inputs (None where the roots do not depend on one), without touching any `.grad`.

    With `stop` nothing behind an input is visited, for inputs known not to depend on one another. With `free` the graph
    is given back on the way.
    """
    wanted = frozenset(inputs)
    nodes = tape(roots, wanted if stop else frozenset())
    needed = _between(nodes, wanted)
    cotangents = _seeded(roots, seeds, needed, of)
    # no name here may keep alive what the sweep gives back
    del roots
    pull(drained(nodes, needed), cotangents, of, wanted, free=free)
    return [cotangents.get(x) for x in inputs]


def _between(nodes: list[Tensor], wanted: frozenset[Tensor]) -> set[Tensor]:
    """The wanted tensors and the nodes that depend on them."""
    needed = set(wanted)
    for node in nodes:
        if not needed.isdisjoint(node.parents):
            needed.add(node)
    return needed


def _seeded(roots: Sequence[Tensor], seeds: Sequence[Tensor], needed: set[Tensor], of: Of) -> dict[Tensor, Value]:
    """What a sweep starts with: the cotangent of each root that matters, summed where a root is named twice."""
    cotangents: dict[Tensor, Value] = {}
    for root, seed in zip(roots, seeds, strict=True):
        if root in needed:
            cotangents[root] = cotangents[root] + of(seed) if root in cotangents else of(seed)
    return cotangents


def push(roots: Sequence[Tensor], tangents: dict[Tensor, Value], of: Of) -> list[Value]:
    """The forward sweep: tangents of the roots (None where they are zero), from the oldest operation to the newest.

    ẏ = Σ_x ∂y/∂x ẋ; `tangents` holds those of the inputs and gains those of every operation.
    """
    for node in tape(roots, frozenset(tangents)):
        incoming = [tangents.get(parent) for parent in node.parents]
        if any(t is not None for t in incoming):
            tangent = node.op.jvp(incoming, node, of)
            if tangent is not None:
                tangents[node] = tangent if tangent.shape == node.data.shape else tangent + np.zeros_like(node.data)
    return [tangents.get(root) for root in roots]
