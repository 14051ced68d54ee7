"""Attention of a mixed batch through block tables: what it is asked, and the definition in plain torch.

Idea      A batch is a row of tokens, some of them the newest of running outputs, some the next piece of a prompt. Each reads the keys and
          values of its own sequence up to itself, wherever the table says that they are.
Equation  o_t = Σ_{p ≤ position t} softmax_p(q_t · k_p / √D) v_p,  k_p = keys[table[p // s], p mod s]
Paper     W. Kwon et al., "PagedAttention", SOSP 2023, section 4.1; A. Agrawal et al., "Sarathi-Serve", OSDI 2024 (mixed batches).
Cost      The context is copied once a layer before it is read; `kernel_attention` reads it in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the field's name


@dataclass(frozen=True)
class Layout:
    """Where the T tokens of a batch of B sequences stand. Sequences with one token come first; there are `decodes` of them.

    positions (T,) int64      in their sequences
    slots     (T,) int64      where their keys and values go
    tables    (B, M) int32    blocks; what is past a sequence's end is not read
    contexts  (B,) int32      tokens that a sequence has once the batch is computed
    starts    (B + 1,) int32  where each sequence's tokens begin in the batch
    """

    positions: Tensor
    slots: Tensor
    tables: Tensor
    contexts: Tensor
    starts: Tensor
    decodes: int
    pieces: tuple[
        tuple[int, int, int], ...
    ] = ()  # of each other sequence: its first token in the batch, how many, its context


class PagedAttention(Protocol):
    """Writes new keys and values to their slots, and reads through the tables."""

    def write(self, key: Tensor, value: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
        """key, value (T, Hk, D) into keys, values (blocks, s, Hk, D)."""

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """q (T, H, D) -> (T, H, D)."""


class TorchAttention:
    """The definition, with torch's own attention on gathered blocks. Runs anywhere."""

    def write(self, key: Tensor, value: Tensor, keys: Tensor, values: Tensor, slots: Tensor) -> None:
        """A scatter over the flat slots."""
        keys.flatten(0, 1).index_copy_(0, slots, key)
        values.flatten(0, 1).index_copy_(0, slots, value)

    def attend(self, q: Tensor, keys: Tensor, values: Tensor, layout: Layout) -> Tensor:
        """Single tokens all at once, then the pieces; neighbours of one length, as drafted tokens make them, at once too."""
        n, parts = layout.decodes, []
        if n:
            parts.append(_alike(q[:n, None], keys, values, layout.tables[:n], layout.contexts[:n]))
        for count, group in groupby(range(len(layout.pieces)), key=lambda i: layout.pieces[i][1]):
            alike = list(group)
            if len(alike) == 1:
                parts.append(_piece(q, keys, values, layout, alike[0]))
                continue
            first, at = layout.pieces[alike[0]][0], slice(n + alike[0], n + alike[-1] + 1)
            width = -(-max(layout.pieces[i][2] for i in alike) // keys.shape[1])
            rows = q[first : first + len(alike) * count].unflatten(0, (len(alike), count))
            parts.append(_alike(rows, keys, values, layout.tables[at, :width], layout.contexts[at]))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def _alike(q: Tensor, keys: Tensor, values: Tensor, tables: Tensor, contexts: Tensor) -> Tensor:
    """q (n, c, H, D), the last c tokens of n sequences -> (n c, H, D), over the whole width of the tables.

    No shape depends on what is in tables and contexts.
    """
    count = q.shape[1]
    k, v = (cache[tables.long()].flatten(1, 2).transpose(1, 2) for cache in (keys, values))
    last = contexts[:, None] - count + torch.arange(count, device=q.device)
    seen = torch.arange(k.shape[2], device=q.device) <= last[..., None]
    read = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, attn_mask=seen[:, None], enable_gqa=True)
    return read.transpose(1, 2).flatten(0, 1)


def _piece(q: Tensor, keys: Tensor, values: Tensor, layout: Layout, i: int) -> Tensor:
    """What the tokens (count, H, D) of one piece of a prompt read."""
    first, count, n = layout.pieces[i]
    blocks = layout.tables[layout.decodes + i, : -(-n // keys.shape[1])]
    k, v = (cache[blocks].flatten(0, 1)[:n].transpose(0, 1)[None] for cache in (keys, values))
    rows = q[first : first + count].transpose(0, 1)[None]
    if count == n:
        return F.scaled_dot_product_attention(rows, k, v, is_causal=True, enable_gqa=True)[0].transpose(0, 1)
    # The last of the rows sees everything, the one before it all but one.
    seen = torch.ones(count, n, dtype=torch.bool, device=q.device).tril(n - count)
    return F.scaled_dot_product_attention(rows, k, v, attn_mask=seen, enable_gqa=True)[0].transpose(0, 1)
