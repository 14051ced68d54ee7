"""Keys and values that lie in pages: how a kernel finds token n of a sequence.

Idea      A cache is an array of blocks, and a table says which blocks a sequence has, in order. A tile of tokens is gathered: each row is a
          whole vector of one head, so the gather costs one look into the table a row and no wasted bytes.
Equation  token n of sequence b:  block = table[b, ⌊n / size⌋],  slot = n mod size
Paper     W. Kwon et al., "Efficient memory management for large language model serving with PagedAttention", SOSP 2023, section 4.1.
Cost      4 bytes of table for a block of `size` tokens, against size · 2 · Hk · D elements of cache.

A cache of one layer is (num_blocks, block_size, Hk, D). A quantized one holds int8 or float8 numbers and a float32 scale for each token and
head, (num_blocks, block_size, Hk).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def slots(
    table: tl.tensor,
    tokens: tl.tensor,
    live: tl.tensor,
    SIZE: tl.constexpr,
) -> tl.tensor:
    """Places of tokens (BN,) in the cache, counted in tokens; `table` points at the sequence's row."""
    blocks = tl.load(table + tokens // SIZE, mask=live, other=0)
    return blocks.to(tl.int64) * SIZE + tokens % SIZE


@triton.jit
def load_vectors(
    cache: tl.tensor,
    places: tl.tensor,
    head: tl.tensor,
    live: tl.tensor,
    stride_slot: tl.tensor,
    stride_head: tl.tensor,
    WIDTH: tl.constexpr,
    D: tl.constexpr,
) -> tl.tensor:
    """Vectors (BN, WIDTH) of one head at these places; zeros where a token is not live, and beyond D."""
    columns = tl.arange(0, WIDTH)
    pointers = cache + places[:, None] * stride_slot + head * stride_head + columns[None, :]
    if WIDTH == D:
        found = tl.load(pointers, mask=live[:, None], other=0.0)
    else:
        found = tl.load(pointers, mask=live[:, None] & (columns < D)[None, :], other=0.0)
    return found
