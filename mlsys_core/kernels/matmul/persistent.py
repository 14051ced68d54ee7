"""proto"""
from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from mlsys_core.kernels.launch import multiprocessors


@triton.jit
def grouped(tile, tiles_m, tiles_n, GROUP: tl.constexpr):
    in_group = GROUP * tiles_n
    first = tile // in_group * GROUP
    rows = min(tiles_m - first, GROUP)
    return first + tile % in_group % rows, tile % in_group // rows


@triton.jit
def persistent_kernel(a, b, c, row_scale, column_scale, m, n, k,
                      ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, GROUP: tl.constexpr, PROGRAMS: tl.constexpr,
                      SUBTILE: tl.constexpr, B_IS_NK: tl.constexpr, SCALED: tl.constexpr, INT: tl.constexpr, IMPRECISE: tl.constexpr, WS: tl.constexpr, STAGES: tl.constexpr):
    tiles_m, tiles_n = tl.cdiv(m, ROWS), tl.cdiv(n, COLUMNS)
    late = tl.program_id(0) - PROGRAMS
    for tile in tl.range(tl.program_id(0), tiles_m * tiles_n, PROGRAMS, flatten=not WS, warp_specialize=WS):
        i, j = grouped(tile, tiles_m, tiles_n, GROUP)
        total = tl.zeros((ROWS, COLUMNS), tl.int32 if INT else tl.float32)
        for step in range(tl.cdiv(k, DEPTH)):
            left = a.load([i * ROWS, step * DEPTH])
            if B_IS_NK:
                right = b.load([j * COLUMNS, step * DEPTH]).T
            else:
                right = b.load([step * DEPTH, j * COLUMNS])
            if INT:
                total = tl.dot(left, right, total, out_dtype=tl.int32)
            elif IMPRECISE >= 0:
                total = tl.dot(left, right, total, max_num_imprecise_acc=IMPRECISE)
            else:
                total = tl.dot(left, right, total)
        late += PROGRAMS
        i, j = grouped(late, tiles_m, tiles_n, GROUP)
        if SCALED:
            rows = i * ROWS + tl.arange(0, ROWS)
            columns = j * COLUMNS + tl.arange(0, COLUMNS)
            by_row = tl.load(row_scale + rows, mask=rows < m, other=0.0)
            by_column = tl.load(column_scale + columns, mask=columns < n, other=0.0)
            total = total.to(tl.float32) * by_row[:, None] * by_column[None, :]
        if SUBTILE:
            halves = tl.permute(tl.reshape(total, (ROWS, 2, COLUMNS // 2)), (0, 2, 1))
            first, second = tl.split(halves)
            c.store([i * ROWS, j * COLUMNS], first.to(c.dtype))
            c.store([i * ROWS, j * COLUMNS + COLUMNS // 2], second.to(c.dtype))
        else:
            c.store([i * ROWS, j * COLUMNS], total.to(c.dtype))


def persistent(a, b, row_scale=None, column_scale=None, *, tile=(128, 256, 64, 8, 3, 8), subtile=True, nk=False, imprecise=-1, ws=False, out=torch.bfloat16):
    rows, columns, depth, warps, stages, group = tile
    m, k = a.shape
    n = b.shape[0] if nk else b.shape[1]
    c = torch.empty((m, n), dtype=out, device=a.device)
    da = TensorDescriptor.from_tensor(a, [rows, depth])
    db = TensorDescriptor.from_tensor(b, [columns, depth] if nk else [depth, columns])
    dc = TensorDescriptor.from_tensor(c, [rows, columns // 2 if subtile else columns])
    programs = min(multiprocessors(a.device), triton.cdiv(m, rows) * triton.cdiv(n, columns))
    persistent_kernel[(programs,)](da, db, dc, row_scale, column_scale, m, n, k, ROWS=rows, COLUMNS=columns, DEPTH=depth, GROUP=group, PROGRAMS=programs,
        SUBTILE=subtile, B_IS_NK=nk, SCALED=row_scale is not None, INT=a.dtype == torch.int8, IMPRECISE=imprecise, WS=ws, STAGES=stages, num_warps=warps, num_stages=stages)
    return c
