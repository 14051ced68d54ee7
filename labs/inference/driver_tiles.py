"""Task 2: sums in pieces, attention in tiles, and the bytes that are alive at once. A part of driver.py."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Array = np.ndarray
Answer = dict[str, Any]


def _plain(tensor: Any) -> Array:
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"returned a {type(tensor).__name__}, expected a tensor")
    return tensor.detach().numpy()


def _pair(answer: Any) -> list[Array]:
    first, second = answer
    return [_plain(first), _plain(second)]


def logsumexp_of_chunks(program: ModuleType, *, chunks: list[Array]) -> Array:
    """`online_logsumexp` of chunks that can be had once."""
    return _plain(program.online_logsumexp(torch.from_numpy(chunk) for chunk in chunks))


def merged(program: ModuleType, *, parts: list[list[Array]]) -> list[Array]:
    """`merge` of all parts, from the first to the last."""
    pairs = [(torch.from_numpy(out), torch.from_numpy(lse)) for out, lse in parts]
    whole = pairs[0]
    for part in pairs[1:]:
        whole = program.merge(whole, part)
    return _pair(whole)


def tiled(
    program: ModuleType, *, q: Array, k: Array, v: Array, mask: Array | None = None, **settings: Any
) -> list[Array]:
    """`tiled_attention`: output and log denominators."""
    given = None if mask is None else torch.from_numpy(mask)
    return _pair(program.tiled_attention(*map(torch.from_numpy, (q, k, v)), mask=given, **settings))


class _Living(TorchDispatchMode):
    """The most bytes that were alive at once of what operations inside made."""

    def __init__(self, *given: torch.Tensor) -> None:
        super().__init__()
        self.peak = 0
        self._given = {one.untyped_storage().data_ptr() for one in given}
        self._seen: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self._seen = {key: kept for key, kept in self._seen.items() if not kept[0].expired()}
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in self._given:
                storage = tensor.untyped_storage()
                self._seen[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())  # noqa: SLF001 - its identity
        self.peak = max(self.peak, sum(size for _, size in self._seen.values()))
        return out


def peak_of_tiles(program: ModuleType, *, q: Array, k: Array, v: Array, tile: int) -> Answer:
    """`tiled_attention`, the most bytes alive at once beyond its inputs, and the operations of its matrix products."""
    from driver import counts  # noqa: PLC0415 - the driver, whose part this is, is loaded after it

    inputs = [torch.from_numpy(one) for one in (q, k, v)]
    with torch.no_grad(), _Living(*inputs) as living:
        flops, answer = counts.flops(lambda *given: program.tiled_attention(*given, tile=tile), inputs)
    return {"peak": living.peak, "flops": flops, "answer": _pair(answer)}
