"""A matrix product for each expert in one launch, on the rows that were sent to it.

Idea      Rows sorted by expert form bands of uneven height, some empty. Cut each band into tiles of rows, and let a program find from
          the bands' ends which expert's tile is its own: no band is padded in memory, and no expert waits for another's launch.
          Rows need not be copied into order first: the kernel gathers them by their index while it loads.
Equation  Y[r] = X[index[r]] W_eᵀ for ends[e-1] ≤ r < ends[e];   dX[r] = dY[r] W_e;   dW_e = Σ_{r of e} dY[r]ᵀ X[index[r]]
Paper     T. Gale, D. Narayanan, C. Young, M. Zaharia, "MegaBlocks: efficient sparse training with mixture-of-experts", MLSys 2023,
          section 5 (variable numbers of rows without padding or dropping).
Cost      `grouped_cost`. A band of h rows costs ⌈h / rows⌉ tiles, so short bands leave tiles part empty.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED
from mlsys_core.kernels.matmul.tiles import Cost, Tile


@triton.jit
def band(tile: tl.tensor, ends: tl.tensor, experts: tl.tensor, EXPERTS: tl.constexpr, ROWS: tl.constexpr) -> tl.tensor:
    """Expert, first row and end of the band of this tile of rows; the expert is `experts` where there is no such tile."""
    number = tl.arange(0, EXPERTS)
    there = number < experts
    end = tl.load(ends + number, mask=there, other=0)
    begin = tl.load(ends + number - 1, mask=there & (number > 0), other=0)
    tiles = tl.where(there, tl.cdiv(end - begin, ROWS), 0)
    tiles_to = tl.cumsum(tiles, 0)
    expert = tl.sum(((tiles_to <= tile) & there).to(tl.int32), 0)
    own = number == expert
    before = tl.sum(tl.where(own, tiles_to - tiles, 0), 0)
    first = tl.sum(tl.where(own, begin, 0), 0) + (tile - before) * ROWS
    return expert, first, tl.sum(tl.where(own, end, 0), 0)


@triton.jit
def grouped_kernel(
    x: tl.tensor,
    w: tl.tensor,
    index: tl.tensor,
    ends: tl.tensor,
    y: tl.tensor,
    experts: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    x_row: tl.tensor,
    x_step: tl.tensor,
    w_expert: tl.tensor,
    w_column: tl.tensor,
    w_step: tl.tensor,
    EXPERTS: tl.constexpr,
    GATHER: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    GROUP: tl.constexpr,
) -> None:
    """One tile of Y (rows, n), contiguous. Programs beyond the last tile of the last band do nothing."""
    across = tl.cdiv(n, COLUMNS)
    # GROUP tiles of rows beside each other share the columns of an expert's weights in L2
    number = tl.program_id(0)
    tile = number // (GROUP * across) * GROUP + number % GROUP
    j = number % (GROUP * across) // GROUP
    expert, first, end = band(tile, ends, experts, EXPERTS, ROWS)
    if expert < experts:
        rows, columns = first + tl.arange(0, ROWS), j * COLUMNS + tl.arange(0, COLUMNS)
        steps = tl.arange(0, DEPTH)
        live, wanted = rows < end, columns < n
        source = tl.load(index + rows, mask=live, other=0) if GATHER else rows
        left_at = x + source.to(tl.int64)[:, None] * x_row + steps[None, :] * x_step
        right_at = (
            w + expert.to(tl.int64) * w_expert + columns.to(tl.int64)[None, :] * w_column + steps[:, None] * w_step
        )
        total = tl.zeros((ROWS, COLUMNS), tl.float32)
        for start in range(0, k, DEPTH):
            within = start + steps < k
            left = tl.load(left_at, mask=live[:, None] & within[None, :], other=0.0)
            right = tl.load(right_at, mask=within[:, None] & wanted[None, :], other=0.0)
            total = tl.dot(left, right, total, input_precision="ieee")
            left_at += DEPTH * x_step
            right_at += DEPTH * w_step
        at = y + rows.to(tl.int64)[:, None] * n + columns[None, :]
        tl.store(at, total.to(y.dtype.element_ty), mask=live[:, None] & wanted[None, :])


@triton.jit
def weights_kernel(
    dy: tl.tensor,
    x: tl.tensor,
    index: tl.tensor,
    ends: tl.tensor,
    dw: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    dy_row: tl.tensor,
    dy_column: tl.tensor,
    x_row: tl.tensor,
    x_step: tl.tensor,
    GATHER: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
) -> None:
    """One ROWS × COLUMNS tile of dW (experts, n, k), contiguous: a sum over the rows of the expert, DEPTH at a time."""
    expert = tl.program_id(1)
    across = tl.cdiv(k, COLUMNS)
    outs = tl.program_id(0) // across * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(0) % across * COLUMNS + tl.arange(0, COLUMNS)
    begin = tl.load(ends + tl.maximum(expert - 1, 0)) * (expert > 0)
    end = tl.load(ends + expert)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(begin, end, DEPTH):
        rows = start + tl.arange(0, DEPTH)
        live = rows < end
        source = tl.load(index + rows, mask=live, other=0) if GATHER else rows
        left_at = dy + rows.to(tl.int64)[None, :] * dy_row + outs[:, None] * dy_column
        right_at = x + source.to(tl.int64)[:, None] * x_row + columns[None, :] * x_step
        left = tl.load(left_at, mask=(outs < n)[:, None] & live[None, :], other=0.0)
        right = tl.load(right_at, mask=live[:, None] & (columns < k)[None, :], other=0.0)
        total = tl.dot(left, right, total, input_precision="ieee")
    at = dw + expert.to(tl.int64) * n * k + outs.to(tl.int64)[:, None] * k + columns[None, :]
    tl.store(at, total.to(dw.dtype.element_ty), mask=(outs < n)[:, None] & (columns < k)[None, :])


def usual_grouped_tile(size: int) -> Tile:
    """The tile for elements of `size` bytes; in the interpreter a small one."""
    if INTERPRETED:
        return Tile(16, 32, 32, group=2)
    return Tile(128, 256, 64, warps=8) if size < 4 else Tile(64, 64, 32)


def grouped_product(
    x: Tensor, w: Tensor, ends: Tensor, index: Tensor | None = None, tile: Tile | None = None
) -> Tensor:
    """Rows of x (·, k) by w (experts, n, k) of each row's expert -> (rows, n); any strides.

    ends (experts,) int32: where each expert's rows end. index (rows,) integers: the row of x that stands at each place; without it
    they are the rows of x in their order. Reads no value back from the GPU: as many programs are started as the worst case needs.
    """
    experts, n, k = w.shape
    rows = x.shape[0] if index is None else index.shape[0]
    tile = tile or usual_grouped_tile(x.element_size())
    y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
    if rows == 0:
        return y
    grouped_kernel[(_programs(rows, n, experts, tile),)](
        x,
        w,
        x if index is None else index,
        ends,
        y,
        experts,
        n,
        k,
        *x.stride(),
        *w.stride(),
        EXPERTS=max(2, triton.next_power_of_2(experts)),
        GATHER=index is not None,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        GROUP=tile.group,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return y


def weights_product(
    dy: Tensor, x: Tensor, ends: Tensor, index: Tensor | None = None, tile: Tile | None = None
) -> Tensor:
    """dW (experts, n, k) of `grouped_product` from dy (rows, n); zero for an expert without rows."""
    experts, n, k = ends.shape[0], dy.shape[1], x.shape[1]
    tile = tile or usual_grouped_tile(x.element_size())
    dw = torch.empty((experts, n, k), dtype=x.dtype, device=x.device)
    weights_kernel[(tile.tiles(n, k), experts)](
        dy,
        x,
        x if index is None else index,
        ends,
        dw,
        n,
        k,
        *dy.stride(),
        *x.stride(),
        GATHER=index is not None,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return dw


def _programs(rows: int, n: int, experts: int, tile: Tile) -> int:
    """Enough for any split of the rows: each band may leave one tile part empty."""
    down = triton.cdiv(rows, tile.rows) + min(experts, rows) - 1
    return int(triton.cdiv(down, tile.group) * tile.group * triton.cdiv(n, tile.columns))


def grouped_cost(counts: list[int], n: int, k: int, tile: Tile, size: int, *, index_size: int = 0) -> Cost:
    """`grouped_product` for experts with these numbers of rows. `index_size`: bytes of an index, 0 where rows are not gathered."""
    rows, experts, across = sum(counts), len(counts), triton.cdiv(n, tile.columns)
    bands = sum(triton.cdiv(count, tile.rows) for count in counts)
    programs = _programs(rows, n, experts, tile) if rows else 0
    loaded = size * k * (rows * across + n * bands) + index_size * rows * across + 4 * (2 * experts - 1) * programs
    depth = triton.cdiv(k, tile.depth) * tile.depth
    return Cost(loaded, size * rows * n, 2 * bands * tile.rows * across * tile.columns * depth)


def weights_cost(counts: list[int], n: int, k: int, tile: Tile, size: int, *, index_size: int = 0) -> Cost:
    """`weights_product` for experts with these numbers of rows."""
    rows, experts = sum(counts), len(counts)
    down, across = triton.cdiv(n, tile.rows), triton.cdiv(k, tile.columns)
    loaded = size * rows * (n * across + k * down) + index_size * rows * down * across
    steps = sum(triton.cdiv(count, tile.depth) for count in counts) * tile.depth
    ends = 8 * experts * down * across
    return Cost(loaded + ends, size * experts * n * k, 2 * down * tile.rows * across * tile.columns * steps)
