"""Random paged caches for tests, with NaN wherever nothing was written, and attention over them by plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mlsys_core.kernels.decode import write_cache
from tests.mlsys_core.kernels.where import DEVICE, generator


@dataclass(frozen=True)
class Pages:
    """A cache of one layer, the table of each sequence, and what was written, sequence by sequence (n, Hk, D)."""

    keys: Tensor
    values: Tensor
    tables: Tensor
    lengths: Tensor
    written: list[tuple[Tensor, Tensor]]


def slots_of(table: Tensor, count: int, size: int) -> Tensor:
    """Slots (count,) of a sequence's tokens."""
    tokens = torch.arange(count, device=table.device)
    return table[tokens // size].long() * size + tokens % size


def pages(lengths: Sequence[int], kv_heads: int, dim: int, size: int, dtype: torch.dtype, seed: int) -> Pages:  # noqa: PLR0917 - a cache's own sizes
    """Contexts of these lengths in shuffled blocks; unused slots, spare blocks and the ends of tables hold nonsense."""
    random = generator(seed)
    each = [-(-n // size) for n in lengths]
    order = torch.randperm(sum(each) + 2, generator=random, device=DEVICE).to(torch.int32)
    shape = (len(order), size, kv_heads, dim)
    keys, values = (torch.full(shape, float("nan"), dtype=dtype, device=DEVICE) for _ in range(2))
    tables = torch.full((len(lengths), max([*each, 1]) + 1), len(order) - 1, dtype=torch.int32, device=DEVICE)
    written, used = [], 0
    for row, (n, blocks) in enumerate(zip(lengths, each, strict=True)):
        tables[row, :blocks] = order[used : used + blocks]
        used += blocks
        k, v = (torch.randn(n, kv_heads, dim, generator=random, device=DEVICE).to(dtype) for _ in range(2))
        write_cache(k, v, keys, values, slots_of(tables[row], n, size))
        written.append((k, v))
    return Pages(keys, values, tables, torch.tensor(lengths, dtype=torch.int32, device=DEVICE), written)


def dense(q: Tensor, k: Tensor, v: Tensor, first: int = 0) -> Tensor:
    """q (t, Hq, D) as the last rows of k, v (n, Hk, D), in float64: row i reads tokens `first` … n - t + i. A row of nothing is 0."""
    t, heads, dim = q.shape
    n = k.shape[0]
    if not n:
        return torch.zeros_like(q, dtype=torch.float64)
    k, v = (x.double().repeat_interleave(heads // x.shape[1], 1) for x in (k, v))
    scores = torch.einsum("thd,nhd->htn", q.double(), k) * dim**-0.5
    last = torch.arange(t, device=q.device)[:, None] + n - t
    tokens = torch.arange(n, device=q.device)[None]
    scores = scores.masked_fill((tokens > last) | (tokens < first), float("-inf"))
    return torch.einsum("htn,nhd->thd", scores.softmax(-1).nan_to_num(0.0), v)
