"""A matrix product by programs that stay: each takes tile after tile, and fetches the next while it writes the last.

Idea      As many programs as multiprocessors. The copy engine of a Hopper GPU (TMA) fetches whole tiles by a descriptor of the matrix
          (address, shape, strides, tile), so no thread computes addresses or masks. The loop over tiles and the loop over k are
          one loop (`flatten`), so the fetches of the next tile are under way while the epilogue of this one converts and stores.
          The tile is stored in halves, which needs half of the shared memory and leaves it to one more stage.
Equation  as tiled.py; with scales C = s_row[i] s_column[j] Σ_s A[i, s] B[s, j]
Paper     M. Osama et al., "Stream-K", PPoPP 2023, section 3 (persistent programs); NVIDIA H100 whitepaper (2022), "Asynchronous execution".
Cost      `tiled_cost`: the same tiles are fetched, in the same order.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from mlsys_core.kernels.launch import multiprocessors
from mlsys_core.kernels.matmul.tiles import Tile, activated, numbered, usual_tile


@triton.jit
def finish(
    total: tl.tensor,
    rows: tl.tensor,
    columns: tl.tensor,
    row_scale: tl.tensor,
    column_scale: tl.tensor,
    bias: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    SCALED: tl.constexpr,
    BIASED: tl.constexpr,
    ACTIVATION: tl.constexpr,
) -> tl.tensor:
    """Sums to results in float32: scales, bias, activation. A scale of one number is read by step 0."""
    total = total.to(tl.float32)
    if SCALED:
        by_row = tl.load(row_scale + rows, mask=rows < m, other=0.0)
        by_column = tl.load(column_scale + columns, mask=columns < n, other=0.0)
        total = total * by_row[:, None] * by_column[None, :]
    if BIASED:
        total += tl.load(bias + columns, mask=columns < n, other=0.0).to(tl.float32)[None, :]
    return activated(total, ACTIVATION)


@triton.jit
def persistent_kernel(
    a: tl.tensor,
    b: tl.tensor,
    c: tl.tensor,
    row_scale: tl.tensor,
    column_scale: tl.tensor,
    bias: tl.tensor,
    m: tl.tensor,
    n: tl.tensor,
    k: tl.tensor,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
    GROUP: tl.constexpr,
    PROGRAMS: tl.constexpr,
    A_TURNED: tl.constexpr,
    B_TURNED: tl.constexpr,
    SCALED: tl.constexpr,
    BIASED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SUM: tl.constexpr,
    PROMOTE: tl.constexpr,
) -> None:
    """Tiles `program`, `program` + PROGRAMS, … of C. A descriptor is of the matrix, or turned: of its transpose."""
    down, across = tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS)
    # the epilogue counts tiles by itself: what it needs of a tile's number would else be held while the next is fetched
    finished = tl.program_id(0) - PROGRAMS
    for number in tl.range(tl.program_id(0), down * across, PROGRAMS, flatten=True):
        i, j = numbered(number, down, across, GROUP)
        total = tl.zeros((ROWS, COLUMNS), SUM)
        for step in range(tl.cdiv(k, DEPTH)):
            left = a.load([step * DEPTH, i * ROWS]).T if A_TURNED else a.load([i * ROWS, step * DEPTH])
            right = b.load([j * COLUMNS, step * DEPTH]).T if B_TURNED else b.load([step * DEPTH, j * COLUMNS])
            total = tl.dot(left, right, total, max_num_imprecise_acc=PROMOTE, input_precision="ieee", out_dtype=SUM)
        finished += PROGRAMS
        i, j = numbered(finished, down, across, GROUP)
        rows, columns = i * ROWS + tl.arange(0, ROWS), j * COLUMNS + tl.arange(0, COLUMNS // 2)
        left, right = tl.split(tl.permute(tl.reshape(total, (ROWS, 2, COLUMNS // 2)), (0, 2, 1)))
        left = finish(left, rows, columns, row_scale, column_scale, bias, m, n, SCALED, BIASED, ACTIVATION)
        c.store([i * ROWS, j * COLUMNS], left.to(c.dtype))
        columns += COLUMNS // 2
        right = finish(right, rows, columns, row_scale, column_scale, bias, m, n, SCALED, BIASED, ACTIVATION)
        c.store([i * ROWS, j * COLUMNS + COLUMNS // 2], right.to(c.dtype))


def fits_tma(x: Tensor) -> bool:
    """Whether the copy engine can read a matrix: one stride is 1, the other a multiple of 16 bytes, and so is the address."""
    dense = 1 if x.stride(1) == 1 else 0
    aligned = x.stride(1 - dense) * x.element_size() % 16 == 0 and x.data_ptr() % 16 == 0
    return bool(x.numel() > 0 and x.stride(dense) == 1 and aligned)


def persistent_matmul(
    a: Tensor,
    b: Tensor,
    bias: Tensor | None = None,
    activation: str = "none",
    tile: Tile | None = None,
    *,
    scales: tuple[Tensor, Tensor] | None = None,
    out: torch.dtype | None = None,
    promote: int | None = None,
) -> Tensor:
    """act(a b + bias) as `tiled_matmul`; with scales (m,) and (n,) in float32 it is act(s_a[:, None] s_b (a b) + bias).

    int8 is added up in int32, all else in float32. `promote`: after how many steps of an fp8 sum it is moved out of the tensor
    core's own sum, which keeps fewer bits than float32; None leaves it there. Raises ValueError where `fits_tma` says no.
    """
    (m, k), n = a.shape, b.shape[1]
    c = torch.empty((m, n), dtype=out or a.dtype, device=a.device)
    if not (fits_tma(a) and fits_tma(b) and fits_tma(c)):
        raise ValueError(
            f"Strides {a.stride()}, {b.stride()} or {n} columns do not suit the copy engine, which wants rows that start at a multiple "
            "of 16 bytes: use tiled_matmul, or pad."
        )
    tile = tile or usual_tile(m, n, a.element_size())
    programs = min(multiprocessors(a.device), tile.tiles(m, n))
    left, a_turned = described(a, tile.rows, tile.depth)
    right, b_turned = described(b, tile.depth, tile.columns)
    by_row, by_column = scales or (None, None)
    persistent_kernel[(programs,)](
        left,
        right,
        TensorDescriptor.from_tensor(c, [tile.rows, tile.columns // 2]),
        by_row,
        by_column,
        bias,
        m,
        n,
        k,
        ROWS=tile.rows,
        COLUMNS=tile.columns,
        DEPTH=tile.depth,
        GROUP=tile.group,
        PROGRAMS=programs,
        A_TURNED=a_turned,
        B_TURNED=b_turned,
        SCALED=scales is not None,
        BIASED=bias is not None,
        ACTIVATION=activation,
        SUM=tl.int32 if a.dtype == torch.int8 else tl.float32,
        PROMOTE=promote,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    return c


def described(x: Tensor, rows: int, columns: int) -> tuple[TensorDescriptor, bool]:
    """A descriptor of blocks of rows × columns of x, or of x transposed where that is how it lies in memory."""
    if x.stride(1) == 1:
        return TensorDescriptor.from_tensor(x, [rows, columns]), False
    return TensorDescriptor.from_tensor(x.T, [columns, rows]), True
