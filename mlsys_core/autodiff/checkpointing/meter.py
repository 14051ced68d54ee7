"""How many bytes the tape keeps, now and at most.

Idea      What recorded operations hold is found by walking the tape; each array is counted once, by the memory that it is
          or is a view of, and is counted off when Python gives it back.
Equation  bytes = Σ over distinct memory of recorded results and of what their rules saved; leaves are the caller's
Paper     T. Chen, B. Xu, C. Zhang, C. Guestrin, arXiv:1604.06174, 2016, section 3 (what there is to count).
Cost      One walk a call; for measurements, not for training.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from mlsys_core.autodiff.graph import tape
from mlsys_core.autodiff.tape import Array
from mlsys_core.autodiff.tensor import Tensor


def owner(x: Array) -> Array:
    """The array whose memory x is."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def _arrays(tree: Any) -> Iterator[Array]:
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from _arrays(item)


def kept(*roots: Tensor) -> dict[int, Array]:
    """The arrays that the tape behind these tensors holds, by identity; those of leaves apart."""
    nodes = tape(roots)
    leaves = {id(owner(x.data)) for node in nodes for x in node.parents if x.is_leaf}
    arrays = (owner(x) for node in nodes for x in (node.data, *_arrays(node.saved)))
    return {id(x): x for x in arrays if id(x) not in leaves}


def kept_bytes(*roots: Tensor) -> int:
    """Bytes that the tape behind these tensors holds."""
    return sum(x.nbytes for x in kept(*roots).values())


class Meter:
    """Bytes that tapes hold: `now`, and `peak` since the start."""

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0
        self._known: set[int] = set()

    def note(self, root: Tensor) -> Tensor:
        """Counts what the tape behind root holds and was not counted yet; gives root back."""
        for key, array in kept(root).items():
            if key not in self._known:
                self._known.add(key)
                self.now += array.nbytes
                weakref.finalize(array, self._gone, key, array.nbytes)
        self.peak = max(self.peak, self.now)
        return root

    def _gone(self, key: int, nbytes: int) -> None:
        self._known.discard(key)
        self.now -= nbytes
