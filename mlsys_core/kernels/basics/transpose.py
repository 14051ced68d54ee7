"""Transpose, by rows and by tiles: the same bytes, and up to 32 times the lines.

Idea      One side of a transpose must be read or written across the rows. Row by row, each element written lies in a line of its own, and
          the line is fetched for 4 of its 128 bytes. A tile of 32 × 32 is read by rows, turned on the chip, and written by rows: both
          sides move whole lines. The turning goes through shared memory, where it would meet one bank 32 times without a padded row or
          a swizzle (banks); Triton's layouts choose that, CUDA leaves it to you.
Equation  out_ji = x_ij;   lines written, float32, sizes that are multiples of 32: by rows M N, by tiles M N / 32
Paper     G. Ruetsch, P. Micikevicius, "Optimizing matrix transpose in CUDA", NVIDIA, 2009.
Cost      transpose_bytes, transpose_lines.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED

TILE = 32 if INTERPRETED else 64
LINE = 128  # bytes


@triton.jit
def transpose_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, rows: tl.tensor, columns: tl.tensor, x_row: tl.tensor, x_column: tl.tensor,
    TILE: tl.constexpr,
) -> None:  # fmt: skip
    """Program (i, j) turns tile (i, j) of x into tile (j, i) of the dense result."""
    row = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    column = tl.program_id(1).to(tl.int64) * TILE + tl.arange(0, TILE)
    live = (row < rows)[:, None] & (column < columns)[None, :]
    tile = tl.load(x_ptr + row[:, None] * x_row + column[None, :] * x_column, live)
    turned = (column < columns)[:, None] & (row < rows)[None, :]
    tl.store(out_ptr + column[:, None] * rows + row[None, :], tl.trans(tile), turned)


@triton.jit
def transpose_by_rows_kernel(
    x_ptr: tl.tensor, out_ptr: tl.tensor, rows: tl.tensor, columns: tl.tensor, x_row: tl.tensor, x_column: tl.tensor,
    TILE: tl.constexpr,
) -> None:  # fmt: skip
    """Program i writes row i of x down column i of the result, an element a line: how not to."""
    row = tl.program_id(0).to(tl.int64)
    for start in range(0, columns, TILE):
        column = start + tl.arange(0, TILE)
        x = tl.load(x_ptr + row * x_row + column * x_column, column < columns)
        tl.store(out_ptr + column * rows + row, x, column < columns)


def transpose(x: Tensor) -> Tensor:
    """x (M, N) of any strides -> a dense (N, M). Differentiable. Raises ValueError for another number of axes."""
    out: Tensor = _transpose(x)
    return out


def transpose_bytes(rows: int, columns: int, itemsize: int) -> int:
    """Bytes that either kernel loads and stores."""
    return 2 * rows * columns * itemsize


def transpose_lines(rows: int, columns: int, itemsize: int, *, by_rows: bool = False) -> int:
    """Lines written, for sizes of whole lines and tiles: an element each by rows, neighbours together by tiles."""
    return rows * columns if by_rows else rows * columns * itemsize // LINE


@torch.library.custom_op("mlsys::transpose", mutates_args=())
def _transpose(x: Tensor) -> Tensor:
    if x.ndim != 2:
        raise ValueError(f"A matrix has two axes, not {x.ndim}.")
    rows, columns = x.shape
    out = torch.empty((columns, rows), dtype=x.dtype, device=x.device)
    if x.numel():
        grid = (triton.cdiv(rows, TILE), triton.cdiv(columns, TILE))
        transpose_kernel[grid](x, out, rows, columns, *x.stride(), TILE=TILE)
    return out


@_transpose.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty((x.shape[1], x.shape[0]), dtype=x.dtype, device=x.device)


def _turned_back(ctx: Any, grad: Tensor) -> Tensor:  # noqa: ARG001
    back: Tensor = _transpose(grad)
    return back


_transpose.register_autograd(_turned_back)
