"""A matrix product, one tile a program: any shape, any strides, with a bias and an activation on the way out.

Idea      Walk along k with a tile of A and a tile of B, multiply them on the tensor cores and add up in float32 registers. What follows
          the product (bias, activation, rounding) is done on the registers, so it costs no traffic of its own.
Equation  C[i, j] = act(Σ_s A[i, s] B[s, j] + bias[j]), A in ⌈k / depth⌉ tiles of rows × depth
Paper     P. Tillet, H. T. Kung, D. Cox, "Triton", MAPL 2019, section 2; tiles.py names those for blocking.
Cost      `tiled_cost`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.matmul.tiles import Tile, activated, numbered, usual_tile


@triton.jit
def tile_product(
    a: tl.tensor,
    b: tl.tensor,
    rows: tl.tensor,
    columns: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    a_row: tl.tensor,
    a_step: tl.tensor,
    b_step: tl.tensor,
    b_column: tl.tensor,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
) -> tl.tensor:
    """Σ over first ≤ s < last of A[rows, s] B[s, columns] in float32; rows and columns beyond m and n are zeros."""
    steps = tl.arange(0, DEPTH)
    left_at = a + rows.to(tl.int64)[:, None] * a_row + (first + steps)[None, :] * a_step
    right_at = b + (first + steps)[:, None] * b_step + columns.to(tl.int64)[None, :] * b_column
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(first, last, DEPTH):
        within = start + steps < last
        left = tl.load(left_at, mask=(rows < m)[:, None] & within[None, :], other=0.0)
        right = tl.load(right_at, mask=within[:, None] & (columns < n)[None, :], other=0.0)
        total = tl.dot(left, right, total, input_precision="ieee")
        left_at += DEPTH * a_step
        right_at += DEPTH * b_step
    return total


@triton.jit
def tiled_kernel(
    a: tl.tensor,
    b: tl.tensor,
    bias: tl.tensor,
    c: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    a_row: tl.tensor,
    a_step: tl.tensor,
    b_step: tl.tensor,
    b_column: tl.tensor,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    GROUP: tl.constexpr,
    BIASED: tl.constexpr,
    ACTIVATION: tl.constexpr,
) -> None:
    """One tile of C, which is contiguous."""
    i, j = numbered(tl.program_id(0), tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS), GROUP)
    rows, columns = i * ROWS + tl.arange(0, ROWS), j * COLUMNS + tl.arange(0, COLUMNS)
    total = tile_product(
        a, b, rows, columns, 0, k, m, n, a_row, a_step, b_step, b_column, ROWS=ROWS, COLUMNS=COLUMNS, DEPTH=DEPTH
    )
    if BIASED:
        total += tl.load(bias + columns, mask=columns < n, other=0.0).to(tl.float32)[None, :]
    at = c + rows.to(tl.int64)[:, None] * n + columns[None, :]
    value = activated(total, ACTIVATION).to(c.dtype.element_ty)
    tl.store(at, value, mask=(rows < m)[:, None] & (columns < n)[None, :])


def tiled_matmul(
    a: Tensor, b: Tensor, bias: Tensor | None = None, activation: str = "none", tile: Tile | None = None
) -> Tensor:
    """act(a b + bias) for a (m, k), b (k, n), bias (n,), all of one type and any strides -> (m, n) of that type."""
    (m, k), n = a.shape, b.shape[1]
    tile = tile or usual_tile(m, n, a.element_size())
    c = torch.empty((m, n), dtype=a.dtype, device=a.device)
    tiled_kernel[(tile.tiles(m, n),)](
        a,
        b,
        a if bias is None else bias,
        c,
        m,
        n,
        k,
        *a.stride(),
        *b.stride(),
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        GROUP=tile.group,
        BIASED=bias is not None,
        ACTIVATION=activation,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return c
