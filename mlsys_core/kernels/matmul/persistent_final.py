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

from dataclasses import replace
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from mlsys_core.kernels.launch import multiprocessors
from mlsys_core.kernels.matmul.tiles import Tile, activated, numbered, usual_tile


@triton.jit
def persistent_kernel(
    a: Any,
    b: Any,
    c: Any,
    row_scale: Any,
    column_scale: Any,
    bias: Any,
    m: Any,
    n: Any,
    k: Any,
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
        halves = tl.permute(tl.reshape(total, (ROWS, 2, COLUMNS // 2)), (0, 2, 1))
        first, second = tl.split(halves)
        rows = i * ROWS + tl.arange(0, ROWS)
        columns = j * COLUMNS + tl.arange(0, COLUMNS // 2)
        _store(c, first, rows, columns, row_scale, column_scale, bias, m, n, i * ROWS, j * COLUMNS, SCALED, BIASED, ACTIVATION)
