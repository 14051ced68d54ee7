"""What the kernels of attention share: which keys a row may read, which tiles hold such pairs, and how a tile is loaded.

Idea      Row i of T queries stands at key i + S - T, so that the last query sees the last key. A band around that place says which keys
          it may read. Of a block of rows, the tiles of keys outside the band are never visited; those wholly inside need no mask;
          only those that the band's edges cut through are masked element by element.
Equation  key j is read by row i  ⇔  i + S - T - left ≤ j ≤ i + S - T + right;      causal: right = 0;      no edge: -1
Paper     T. Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning", ICLR 2024, section 3.1.
Cost      `span` costs a dozen integer operations a program.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load_tile(
    source: tl.tensor,  # a pointer, or with TMA a descriptor of (B, H, T, D)
    batch: tl.tensor,
    head: tl.tensor,
    base: tl.tensor,
    first: tl.tensor,
    end: tl.tensor,
    steps_b: tl.tensor,
    steps_h: tl.tensor,
    steps_t: tl.tensor,
    D: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
    TMA: tl.constexpr,
) -> tl.tensor:
    """Rows first … first + BLOCK of one head as (BLOCK, WIDE); zeros at and after row `end` and column D."""
    if TMA:
        return source.load([batch.to(tl.int32), head.to(tl.int32), first, 0]).reshape(BLOCK, WIDE)
    else:  # noqa: RET505 - triton compiles what follows a return, so the other way must be a branch
        rows, width = first + tl.arange(0, BLOCK), tl.arange(0, WIDE)
        at = (base + rows).to(tl.int64)[:, None] * steps_t + width[None, :]
        held = (rows < end)[:, None] & (width < D)[None, :]
        return tl.load(source + batch * steps_b + head * steps_h + at, mask=held, other=0.0)


@triton.jit
def store_tile(
    target: tl.tensor,
    value: tl.tensor,
    batch: tl.tensor,
    head: tl.tensor,
    base: tl.tensor,
    first: tl.tensor,
    end: tl.tensor,
    steps_b: tl.tensor,
    steps_h: tl.tensor,
    steps_t: tl.tensor,
    D: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Writes the rows before `end` and the columns before D of (BLOCK, WIDE)."""
    rows, width = first + tl.arange(0, BLOCK), tl.arange(0, WIDE)
    at = (base + rows).to(tl.int64)[:, None] * steps_t + width[None, :]
    held = (rows < end)[:, None] & (width < D)[None, :]
    tl.store(target + batch * steps_b + head * steps_h + at, value.to(target.dtype.element_ty), mask=held)


@triton.jit
def sequence(cu: tl.tensor, batch: tl.tensor, length: tl.tensor, VARLEN: tl.constexpr) -> tl.tensor:
    """Where a sequence begins in its tensor, and how long it is."""
    if VARLEN:
        base = tl.load(cu + batch)
        return base, tl.load(cu + batch + 1) - base
    else:  # noqa: RET505 - as above
        return 0, length


@triton.jit
def allowed(
    rows: tl.tensor,
    columns: tl.tensor,
    t: tl.tensor,
    s: tl.tensor,
    left: tl.tensor,
    right: tl.tensor,
    LEFT: tl.constexpr,
    RIGHT: tl.constexpr,
) -> tl.tensor:
    """Which pairs of rows (broadcastable) and columns lie in the band and in the matrix."""
    ok = (columns < s) & (rows < t)
    at = rows + (s - t)
    if LEFT:
        ok = ok & (columns >= at - left)
    if RIGHT:
        ok = ok & (columns <= at + right)
    return ok


@triton.jit
def span(
    first: tl.tensor,
    count: tl.constexpr,
    n: tl.tensor,
    before: tl.tensor,
    after: tl.tensor,
    BEFORE: tl.constexpr,
    AFTER: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Tiles that `count` lines from `first` visit among n: (begin, first unmasked, end of the unmasked, end), in tiles.

    Line x reads places x - before … x + after; without an edge, from the start or to the end.
    """
    begin, inside = 0, 0
    if BEFORE:
        begin = tl.maximum(first - before, 0) // BLOCK
        inside = (tl.maximum(first + count - 1 - before, 0) + BLOCK - 1) // BLOCK
    stop, whole = n, n
    if AFTER:
        stop = tl.minimum(n, tl.maximum(first + count + after, 0))
        whole = tl.minimum(n, tl.maximum(first + after + 1, 0))
    end = (stop + BLOCK - 1) // BLOCK
    inside = tl.maximum(begin, tl.minimum(inside, end))
    outside = tl.maximum(inside, whole // BLOCK)
    return begin, inside, outside, end
