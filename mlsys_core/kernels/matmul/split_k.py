"""A matrix product whose sum is cut into parts: more programs for results with few tiles.

Idea      A small result has fewer tiles than the GPU has multiprocessors, and each walks along a long k alone. Cut k into parts, give
          each tile and part a program, and add the parts up afterwards: in a fixed order by a second kernel (the same bits each
          time), or as they come by atomic additions (less traffic, another order each time).
Equation  C = act(Σ_p A[:, K_p] B[K_p, :] + bias)
Paper     M. Osama, D. Merrill, C. Cecka, M. Garland, J. D. Owens, "Stream-K: work-centric parallel decomposition for dense matrix-matrix
          multiplication on the GPU", PPoPP 2023, section 3 (fixed-split, and what replaces it).
Cost      `split_k_cost`: beside the tiles, 4 m n parts bytes of partial sums out and in again.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.matmul.tiled import tile_product
from mlsys_core.kernels.matmul.tiles import Cost, Tile, activated, numbered, tiled_cost, usual_tile

BLOCK = 256  # elements of a program of the second kernel


@triton.jit
def parts_kernel(
    a: tl.tensor,
    b: tl.tensor,
    sums: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    length: tl.tensor,
    a_row: tl.tensor,
    a_step: tl.tensor,
    b_step: tl.tensor,
    b_column: tl.tensor,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    GROUP: tl.constexpr,
    ATOMIC: tl.constexpr,
) -> None:
    """One tile of the part of the sum over `length` steps: stored into sums (parts, m, n), or added to sums (m, n)."""
    part = tl.program_id(1)
    i, j = numbered(tl.program_id(0), tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS), GROUP)
    rows, columns = i * ROWS + tl.arange(0, ROWS), j * COLUMNS + tl.arange(0, COLUMNS)
    first = part * length
    last = min(first + length, k)
    total = tile_product(
        a, b, rows, columns, first, last, m, n, a_row, a_step, b_step, b_column, ROWS=ROWS, COLUMNS=COLUMNS, DEPTH=DEPTH
    )
    at = rows.to(tl.int64)[:, None] * n + columns[None, :]
    mask = (rows < m)[:, None] & (columns < n)[None, :]
    if ATOMIC:
        tl.atomic_add(sums + at, total, mask=mask, sem="relaxed")
    else:
        tl.store(sums + part.to(tl.int64) * m * n + at, total, mask=mask)


@triton.jit
def join_kernel(
    sums: tl.tensor,
    bias: tl.tensor,
    c: tl.tensor,
    count: tl.tensor,
    n: tl.tensor,
    PARTS: tl.constexpr,
    BIASED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Adds up the parts, always in the same order, and finishes."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    mask = at < count
    total = tl.zeros((BLOCK,), tl.float32)
    for _ in range(PARTS):
        total += tl.load(sums + at, mask=mask, other=0.0)
        sums += count
    if BIASED:
        total += tl.load(bias + at % n, mask=mask, other=0.0).to(tl.float32)
    tl.store(c + at, activated(total, ACTIVATION).to(c.dtype.element_ty), mask=mask)


def usual_parts(tiles: int, k: int, tile: Tile, programs: int) -> int:
    """How many parts keep `programs` busy, each with four steps of the sum or more; 1 where the tiles do so alone."""
    return max(1, min(programs // tiles, k // (4 * tile.depth)))


def split_k_matmul(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    activation: str = "none",
    tile: Tile | None = None,
    *,
    parts: int = 4,
    atomic: bool = False,
) -> Tensor:
    """act(a b + bias) as `tiled_matmul`, the sum in `parts`. `atomic`: sums differ in their last bits from call to call."""
    (m, k), n = a.shape, b.shape[1]
    tile = tile or usual_tile(m, n, a.element_size())
    c = torch.empty((m, n), dtype=a.dtype, device=a.device)
    if atomic:
        sums = torch.zeros((1, m, n), dtype=torch.float32, device=a.device)
    else:
        sums = torch.empty((parts, m, n), dtype=torch.float32, device=a.device)
    parts_kernel[(tile.tiles(m, n), parts)](
        a,
        b,
        sums,
        m,
        n,
        k,
        _length(k, parts, tile),
        *a.stride(),
        *b.stride(),
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        GROUP=tile.group,
        ATOMIC=atomic,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    join_kernel[(triton.cdiv(m * n, BLOCK),)](
        sums, a if bias is None else bias, c, m * n, n, len(sums), bias is not None, activation, BLOCK
    )
    return c


def _length(k: int, parts: int, tile: Tile) -> int:
    """Steps of the sum in a part: whole tiles."""
    return int(triton.cdiv(triton.cdiv(k, tile.depth), parts) * tile.depth)


def split_k_cost(m: int, n: int, k: int, tile: Tile, parts: int, size: int, *, bias_size: int = 0) -> Cost:
    """Both kernels, without atomics; numbers of `size` bytes. `bias_size`: bytes of a bias element, 0 without one."""
    product = tiled_cost(m, n, k, tile, size, 4)
    length = _length(k, parts, tile)
    steps = sum(triton.cdiv(max(0, min(length, k - p * length)), tile.depth) for p in range(parts))
    flops = 2 * tile.tiles(m, n) * tile.rows * tile.columns * tile.depth * steps
    return Cost(product.loaded + (4 * parts + bias_size) * m * n, (4 * parts + size) * m * n, flops)
