"""Masks made of tiles: a map says which tiles of the score matrix exist, and the kernels walk over lists made from it.

Idea      A mask that is false on whole tiles need not be read there, nor the keys and values behind it. The map of tiles becomes, for
          each row of tiles, a list of those to visit; the backward of keys has the list for each column. Within a tile either all is
          allowed (full), or a rule says which pairs are (partial): equal labels, inside the band of causal and window.
Equation  visited = Σ tiles;   pair (i, j) counts  ⇔  its tile is full, or partial with label_q[i] = label_k[j] and j in i's band
Paper     J. Dong et al., "FlexAttention: a programming model for generating optimized attention kernels", arXiv 2412.05496, section 3.2.
Cost      Lists of (T/BM) (S/BN) integers, made once and used by every layer and head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BlockMask:
    """Tiles of `rows` × `columns` of a (t, s) score matrix. `by_rows` and `by_columns` are (count, order) in int32.

    `count` (lines, 2) says how many full and how many partial tiles a line has; `order` (lines, tiles) names them, full ones first.
    `labels` (t,) and (s,), int32: pairs of a partial tile count where these are equal; None for no such rule.
    """

    t: int
    s: int
    rows: int
    columns: int
    by_rows: tuple[Tensor, Tensor]
    by_columns: tuple[Tensor, Tensor]
    labels: tuple[Tensor, Tensor] | None = None

    @property
    def visited(self) -> int:
        """How many tiles a head visits."""
        return int(self.by_rows[0].sum())


def block_mask(
    tiles: Tensor,
    t: int,
    s: int,
    *,
    rows: int = 64,
    columns: int = 64,
    full: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
) -> BlockMask:
    """From a map of tiles, bool (ceil(t/rows), ceil(s/columns)), the same for every head.

    `full` marks the tiles in which every pair counts; the others are partial. Without it, every tile is partial. The last tile of a row
    is partial where s is no multiple of `columns`. Raises ValueError for another shape.
    """
    shape = (-(-t // rows), -(-s // columns))
    for name, given in (("tiles", tiles), ("full", tiles if full is None else full)):
        if tuple(given.shape) != shape:
            raise ValueError(
                f"{name} is {tuple(given.shape)}, but {t} × {s} scores have {shape} tiles of {rows} × {columns}: give a map of that shape."
            )
    if rows & (rows - 1) or columns & (columns - 1) or min(rows, columns) < 16:
        raise ValueError(f"Tiles of {rows} × {columns} fit no kernel: both sides are powers of two from 16 on.")
    whole = torch.zeros_like(tiles) if full is None else full & tiles
    if s % columns:
        whole = whole.clone()
        whole[:, -1] = False
    return BlockMask(t, s, rows, columns, _lists(tiles, whole), _lists(tiles.T, whole.T), labels)


def document_mask(
    documents_q: Tensor,
    documents_k: Tensor,
    *,
    left: int = -1,
    right: int = -1,
    rows: int = 64,
    columns: int = 64,
) -> BlockMask:
    """A query reads the keys of its own document, inside the band; documents (T,) and (S,) hold each token's number, in any order.

    Give attention the same causal or window as here (`right=0` is causal). Tiles without a pair are skipped.
    """
    t, s = documents_q.shape[0], documents_k.shape[0]
    at, key = torch.arange(t, device=documents_q.device)[:, None] + s - t, torch.arange(s, device=documents_q.device)
    pairs = documents_q[:, None] == documents_k[None, :]
    if left >= 0:
        pairs &= key >= at - left
    if right >= 0:
        pairs &= key <= at + right
    inside = torch.ones_like(pairs)
    padded, inside = (_padded(x, rows, columns) for x in (pairs, inside))
    some, each, cells = (x.sum((1, 3)) for x in (padded, padded, inside))
    labels = (documents_q.to(torch.int32).contiguous(), documents_k.to(torch.int32).contiguous())
    return block_mask(some > 0, t, s, rows=rows, columns=columns, full=(each == cells), labels=labels)


def _padded(pairs: Tensor, rows: int, columns: int) -> Tensor:
    """(T, S) as (tiles, rows, tiles, columns), false in what is added."""
    t, s = pairs.shape
    high, wide = -(-t // rows), -(-s // columns)
    out = pairs.new_zeros(high * rows, wide * columns)
    out[:t, :s] = pairs
    return out.view(high, rows, wide, columns)


def _lists(tiles: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """(count, order) of each line: full tiles first, then partial ones, each in ascending order; the rest of `order` is unused."""
    rank = 2 - tiles.int() - whole.int()  # 0 full, 1 partial, 2 absent
    order = torch.sort(rank, dim=1, stable=True).indices.to(torch.int32).contiguous()
    count = torch.stack((whole.sum(1), (tiles & ~whole).sum(1)), 1).to(torch.int32).contiguous()
    return count, order
