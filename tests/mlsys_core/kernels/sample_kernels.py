"""Kernels for the meter: honest ones, and each fault that it is to find, on a line that says so."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

from tests.support import require

if find_spec("triton") is None or find_spec("torch") is None:
    require("triton", "torch or triton is not installed (make setup installs both)")

import torch
import triton
import triton.language as tl


def line_of(kernel: Any, text: str) -> str:
    """Where a line with this text stands in a kernel, as a finding says it."""
    lines, first = inspect.getsourcelines(kernel.fn)
    (at,) = [first + i for i, line in enumerate(lines) if text in line]
    return f"sample_kernels.py, line {at}"


def blocks(n: int, block: int) -> int:
    """How many blocks cover n elements."""
    return -(-n // block)


@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = at < n
    tl.store(out_ptr + at, tl.load(x_ptr + at, mask=mask) + tl.load(y_ptr + at, mask=mask), mask=mask)


@triton.jit
def copy(x_ptr, out_ptr, rows, columns, row_step, column_step, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = tl.load(x_ptr + row * row_step + at * column_step, mask=at < columns)
        tl.store(out_ptr + row * columns + at, value, mask=at < columns)


@triton.jit
def transpose(x_ptr, out_ptr, rows, columns, TILE: tl.constexpr):
    i = tl.program_id(0) * TILE + tl.arange(0, TILE)
    j = tl.program_id(1) * TILE + tl.arange(0, TILE)
    tile = tl.load(x_ptr + i[:, None] * columns + j[None, :], mask=(i[:, None] < rows) & (j[None, :] < columns))
    tl.store(
        out_ptr + j[:, None] * rows + i[None, :], tl.trans(tile), mask=(j[:, None] < columns) & (i[None, :] < rows)
    )


@triton.jit
def transpose_by_rows(x_ptr, out_ptr, rows, columns, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    value = tl.load(x_ptr + row * columns + at, mask=at < columns)
    tl.store(out_ptr + at * rows + row, value, mask=at < columns)  # each element in a line of its own


@triton.jit
def softmax(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns, other=-float("inf"))
    e = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * columns + at, e / tl.sum(e, axis=0), mask=at < columns)


@triton.jit
def matmul(a_ptr, b_ptr, c_ptr, m, n, k, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    i = tl.program_id(0) * BM + tl.arange(0, BM)
    j = tl.program_id(1) * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, k, BK):
        s = start + tl.arange(0, BK)
        a = tl.load(a_ptr + i[:, None] * k + s[None, :], mask=(i[:, None] < m) & (s[None, :] < k), other=0.0)
        b = tl.load(b_ptr + s[:, None] * n + j[None, :], mask=(s[:, None] < k) & (j[None, :] < n), other=0.0)
        total = tl.dot(a, b, total)
    tl.store(c_ptr + i[:, None] * n + j[None, :], total, mask=(i[:, None] < m) & (j[None, :] < n))


@triton.jit
def total(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(out_ptr, tl.sum(tl.load(x_ptr + at, mask=at < n, other=0.0), axis=0))


@triton.jit
def described_copy(x_ptr, out_ptr, rows, columns, TILE: tl.constexpr):
    i, j = tl.program_id(0) * TILE, tl.program_id(1) * TILE
    x = tl.make_tensor_descriptor(x_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[TILE, TILE])
    out = tl.make_tensor_descriptor(out_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[TILE, TILE])
    out.store([i, j], x.load([i, j]))


@triton.jit
def add_one_too_far(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at, mask=at <= n)  # fault: reads one element more than there are
    tl.store(out_ptr + at, x + 1.0, mask=at < n)


@triton.jit
def shift(x_ptr, out_ptr, n, BY, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(out_ptr + at + BY, tl.load(x_ptr + at, mask=at < n), mask=at < n)  # fault: as far off as BY says


@triton.jit
def into_one_row(x_ptr, out_ptr, columns, BLOCK: tl.constexpr):
    row, at = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + at, mask=at < columns)
    tl.store(out_ptr + (row // 2) * columns + at, x, mask=at < columns)  # fault: two programs a row


@triton.jit
def smooth_in_place(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    left = tl.load(x_ptr + at - 1, mask=(at > 0) & (at < n), other=0.0)  # fault: the neighbour may have written it
    tl.store(x_ptr + at, left, mask=at < n)


@triton.jit
def look_ahead_in_place(x_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    right = tl.load(x_ptr + at + 1, mask=at + 1 < n, other=0.0)
    tl.store(x_ptr + at, right, mask=at < n)  # fault: the neighbour before has read it


@triton.jit
def total_without_atomics(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + at, mask=at < n, other=0.0), axis=0)
    before = tl.load(out_ptr)  # fault: what another wrote
    tl.store(out_ptr, before + part)


@triton.jit
def atomic_beside_plain(out_ptr):
    tl.atomic_add(out_ptr, 1)
    tl.store(out_ptr, 0, mask=tl.program_id(0) == 1)  # fault: the others update it


@triton.jit
def accumulate(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    before = tl.load(out_ptr + at, mask=at < n)  # fault: from torch.empty
    tl.store(out_ptr + at, before + tl.load(x_ptr + at, mask=at < n), mask=at < n)


@triton.jit
def sum_of_masked(x_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(out_ptr, tl.sum(tl.load(x_ptr + at, mask=at < n), axis=0))  # fault: masked lanes have no value


@triton.jit
def take(table_ptr, index_ptr, out_ptr, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    index = tl.load(index_ptr + at, mask=at < n)
    tl.store(out_ptr + at, tl.load(table_ptr + index, mask=at < n), mask=at < n)


@triton.jit
def follow(address_ptr, out_ptr):
    pointer = tl.load(address_ptr).to(tl.pointer_type(tl.float32))
    tl.store(out_ptr, tl.load(pointer))  # fault: an address from a table


@triton.jit
def claim_with_cas(lock_ptr, out_ptr, BY):
    tl.store(out_ptr + tl.program_id(0), tl.atomic_cas(lock_ptr + BY, 0, 1))


@triton.jit
def word_at(octet_ptr, out_ptr, start):
    tl.store(out_ptr, tl.load((octet_ptr + start).to(tl.pointer_type(tl.int32))))


def matrix(rng: torch.Generator, *shape: int) -> torch.Tensor:
    """Standard normal, float32."""
    return torch.randn(*shape, generator=rng)
