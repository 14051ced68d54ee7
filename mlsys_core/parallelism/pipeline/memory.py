"""How many bytes autograd keeps for the backward, counted while it keeps them.

Idea      Every tensor that an operation saves passes through a hook. A handle stands for it in the graph; when the graph lets go
          of the handle, the bytes are free.
Equation  held = Σ bytes of the distinct storages that some graph still refers to, parameters aside
Paper     none; the hooks are torch.autograd.graph.saved_tensors_hooks.
Cost      One handle a saved tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


class SavedBytes:
    """Counts what graphs that are built inside `counting()` hold. `now` and `peak` are bytes."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.own = {p.untyped_storage().data_ptr() for p in parameters}
        self.holders: Counter[int] = Counter()
        self.now = self.peak = 0

    def counting(self) -> saved_tensors_hooks:
        """A context: tensors that operations save inside are counted until they are let go."""
        return saved_tensors_hooks(self.keep, _unpack)

    def hold(self, storage: int, size: int) -> None:
        """One more refers to a storage."""
        self.holders[storage] += 1
        if self.holders[storage] == 1:
            self.now += size
            self.peak = max(self.peak, self.now)

    def release(self, storage: int, size: int) -> None:
        """One fewer does."""
        self.holders[storage] -= 1
        if not self.holders[storage]:
            del self.holders[storage]
            self.now -= size

    def keep(self, tensor: Tensor) -> object:
        """A handle that counts a tensor as long as it lives; a parameter is its own and counts nothing."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() in self.own:
            return tensor
        return _Held(self, tensor, storage.data_ptr(), storage.nbytes())


class _Held:
    """Stands for a saved tensor in the graph."""

    def __init__(self, counter: SavedBytes, tensor: Tensor, storage: int, size: int) -> None:
        self.counter, self.tensor, self.storage, self.size = counter, tensor, storage, size
        counter.hold(storage, size)

    def __del__(self) -> None:
        self.counter.release(self.storage, self.size)


def _unpack(saved: object) -> Tensor:
    return saved.tensor if isinstance(saved, _Held) else saved
