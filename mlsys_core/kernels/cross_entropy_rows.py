"""Rows of logits: their losses and gradients, in one visit to each row.

Idea      The gradient of a row of logits needs the row's log-sum-exp and nothing of other rows. The program that has just read a row to
          find it has the first part of the row still in registers and the rest in the cache, if all programs' rows fit there together.
          It reads that rest again and writes the gradient. The log-sum-exp is online: a maximum m and a sum s, scaled down whenever m
          grows, for each lane until the end. So a row may be longer than any block, and lanes do not wait for each other.
Equation  lse = m + log s,  m' = max(m, max x),  s' = s exp(m - m') + Σ exp(x - m')
          loss = lse - (1 - ε) x_t - ε mean(x),   ∂x_j = c (exp(x_j - lse) - (1 - ε) [j = t] - ε / V),  c = 1 or 1 / targets that count
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, algorithm 3;
          C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7 (label smoothing).
Cost      cross_entropy_bytes: the logits once, what was not held of them again, the gradient once. The rest of a row of 128,256 in
          16 bits is 224 KB: 132 programs' take 30 MB of a cache of 50.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED
from .rows import programs_for, warps_for

LOG2E = tl.constexpr(1.4426950408889634)
EACH = 8  # logits of a lane: 16 bytes in half precision
HELD = 128 if INTERPRETED else 16_384  # logits of a row that stay in registers: 16 for each of 1024 threads
TILE = 128 if INTERPRETED else 16_384  # logits that a program has in flight

Options: TypeAlias = tuple[int, float, bool]  # ignore_index, label_smoothing, mean


@triton.jit
def places(SIZE: tl.constexpr, EACH: tl.constexpr) -> tl.tensor:
    """0 to SIZE - 1 as lanes of EACH neighbours: what a lane reads in one access, and reduces without asking others."""
    return tl.arange(0, SIZE // EACH)[:, None] * EACH + tl.arange(0, EACH)[None, :]


@triton.jit
def log_sum_exp(
    x: tl.tensor, width: tl.tensor, SMOOTH: tl.constexpr, HELD: tl.constexpr, TILE: tl.constexpr, EACH: tl.constexpr
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Of the row at x: its first HELD logits, log2 Σ 2^(x log2 e), and with SMOOTH the sum of x log2 e."""
    held, tile = places(HELD, EACH), places(TILE, EACH)
    kept = tl.load(x + held, held < width, other=float("-inf"), eviction_policy="evict_first")
    top = tl.full((TILE // EACH,), float("-inf"), tl.float32)  # a maximum and a sum a lane, until the end
    total, plain = tl.zeros((TILE // EACH,), tl.float32), tl.zeros((TILE // EACH,), tl.float32)
    for start in range(HELD, width, TILE):
        logits = tl.load(x + start + tile, start + tile < width, other=float("-inf"), eviction_policy="evict_last")
        logits = logits.to(tl.float32) * LOG2E
        higher = tl.maximum(top, tl.max(logits, 1))
        base = tl.where(higher == float("-inf"), 0.0, higher)  # -inf - -inf has no value
        total = total * tl.exp2(top - base) + tl.sum(tl.exp2(logits - base[:, None]), 1)
        top = higher
        if SMOOTH:
            plain += tl.sum(tl.where(start + tile < width, logits, 0.0), 1)
    most = tl.maximum(tl.max(top, 0), tl.max(tl.max(kept, 1), 0).to(tl.float32) * LOG2E)
    whole = tl.sum(tl.sum(tl.exp2(kept.to(tl.float32) * LOG2E - most), 1), 0) + tl.sum(total * tl.exp2(top - most), 0)
    sums = tl.sum(plain, 0)
    if SMOOTH:
        sums += tl.sum(tl.sum(tl.where(held < width, kept.to(tl.float32) * LOG2E, 0.0), 1), 0)
    return kept, most + tl.log2(whole), sums


@triton.jit
def write_slope(
    into: tl.tensor, at: tl.tensor, logits: tl.tensor, width: tl.tensor, target: tl.tensor, lse: tl.tensor,
    unit: tl.tensor,
    smoothing: tl.tensor, SMOOTH: tl.constexpr,
) -> None:  # fmt: skip
    """Writes the gradient of logits at these places of a row."""
    slope = tl.exp2(logits.to(tl.float32) * LOG2E - lse) - tl.where(at == target, 1.0 - smoothing, 0.0)
    if SMOOTH:
        slope -= smoothing / width
    tl.store(into + at, (slope * unit).to(into.dtype.element_ty), at < width, eviction_policy="evict_first")


@triton.jit
def cross_entropy_kernel(
    x_ptr: tl.tensor, target_ptr: tl.tensor, count_ptr: tl.tensor, loss_ptr: tl.tensor, grad_ptr: tl.tensor,
    rows: tl.tensor,
    width: tl.tensor, x_stride: tl.tensor, grad_stride: tl.tensor, ignored: tl.tensor, smoothing: tl.tensor,
    GRAD: tl.constexpr, SMOOTH: tl.constexpr, MEAN: tl.constexpr, HELD: tl.constexpr, TILE: tl.constexpr, EACH: tl.constexpr,
) -> None:  # fmt: skip
    """A program takes rows p, p + P, …: HELD logits stay in registers, the rest comes in tiles, and again for the gradient."""
    held, tile, unit = places(HELD, EACH), places(TILE, EACH), 1.0
    if MEAN:
        unit = 1.0 / tl.load(count_ptr).to(tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        x, into, target = x_ptr + at * x_stride, grad_ptr + at * grad_stride, tl.load(target_ptr + at)
        loss = 0.0
        if target != ignored:
            kept, lse, sums = log_sum_exp(x, width, SMOOTH, HELD, TILE, EACH)
            chosen = tl.load(x + target, (target >= 0) & (target < width), other=float("nan")).to(tl.float32) * LOG2E
            loss = (lse - (1.0 - smoothing) * chosen - smoothing / width * sums) / LOG2E
            if GRAD:
                write_slope(into, held, kept, width, target, lse, unit, smoothing, SMOOTH)
                for start in range(HELD, width, TILE):
                    here = start + tile
                    logits = tl.load(x + here, here < width, other=float("-inf"), eviction_policy="evict_first")
                    write_slope(into, here, logits, width, target, lse, unit, smoothing, SMOOTH)
        elif GRAD:
            for start in range(0, width, TILE):
                zero = tl.zeros((TILE // EACH, EACH), into.dtype.element_ty)
                tl.store(into + start + tile, zero, start + tile < width)
        tl.store(loss_ptr + at, loss)


def cross_entropy_bytes(
    rows: int, width: int, itemsize: int, programs: int, *, ignored: int = 0, grad: bool = True, mean: bool = True, held: int = HELD
) -> int:  # fmt: skip
    """Bytes that one call loads and stores, `ignored` of the rows not counting; targets have 8 bytes, losses 4.

    With a gradient what is not `held` is loaded twice.
    """
    count = rows - ignored
    once = count * (width + 1) * itemsize + 12 * rows + (8 * programs if mean else 0)
    return once + ((rows * width + count * max(0, width - held)) * itemsize if grad else 0)


def cross_entropy_rows(logits: Tensor, targets: Tensor, count: Tensor, grad: Tensor | None, options: Options) -> Tensor:
    """The kernel on logits (N, V), dense rows: the loss of each row, and its gradient / count (a sum: undivided) into `grad`."""
    ignore_index, smoothing, mean = options
    rows, width = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    held = min(HELD, triton.next_power_of_2(max(width, EACH)))
    tile = min(TILE, held)
    target = logits if grad is None else grad
    if logits.numel():
        cross_entropy_kernel[(programs_for(targets[:, None]),)](
            logits, targets, count, losses, target, rows, width, logits.stride(0), target.stride(0), ignore_index, smoothing,
            GRAD=grad is not None, SMOOTH=smoothing > 0, MEAN=mean, HELD=held, TILE=tile, EACH=EACH, num_warps=warps_for(held),
        )  # fmt: skip
    return losses
