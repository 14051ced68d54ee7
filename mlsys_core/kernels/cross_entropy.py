"""Cross-entropy with its gradient, in one pass over the storage of the logits.

Idea      The gradient of a row of logits needs the row's log-sum-exp and nothing of other rows. So the program that has just read a row
          to find it reads the row again while it is still in the cache, and writes the gradient, over the logits if that is allowed.
          Nothing else as large as the logits is ever made. The log-sum-exp is online: a running maximum m and a sum s that is
          scaled down whenever m grows, so a row may be longer than any block.
Equation  lse = m + log s,  m' = max(m, max x),  s' = s exp(m - m') + Σ exp(x - m')
          loss = lse - (1 - ε) x_t - ε mean(x),   ∂x_j = c (exp(x_j - lse) - (1 - ε) [j = t] - ε / V),  c = 1 or 1 / targets that count
Paper     M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, algorithm 3;
          C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7 (label smoothing).
Cost      cross_entropy_bytes: the logits twice in (once from memory, once from the cache where a row for each multiprocessor fits it) and
          their gradient once out.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def cross_entropy_kernel(
    x_ptr: tl.tensor, target_ptr: tl.tensor, count_ptr: tl.tensor, loss_ptr: tl.tensor, grad_ptr: tl.tensor, rows: tl.tensor, width: tl.tensor, x_stride: tl.tensor, grad_stride: tl.tensor, ignored: tl.tensor, smoothing: tl.tensor,
    GRAD: tl.constexpr, SMOOTH: tl.constexpr, MEAN: tl.constexpr, LANES: tl.constexpr, EACH: tl.constexpr,
) -> None:  # fmt: skip
    """A program takes rows p, p + P, …; a tile is LANES × EACH logits, with a maximum and a sum a lane."""
    tile = tl.arange(0, LANES)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    unit = 1.0
    if MEAN:
        unit = 1.0 / tl.load(count_ptr).to(tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        logits, target = x_ptr + at * x_stride, tl.load(target_ptr + at)
        counts = target != ignored
        if counts:
            top = tl.full((LANES,), float("-inf"), tl.float32)
            total = tl.zeros((LANES,), tl.float32)
            plain = tl.zeros((LANES,), tl.float32)
            for start in range(0, width, LANES * EACH):
                x = tl.load(logits + start + tile, start + tile < width, other=float("-inf"), eviction_policy="evict_last")
                x = x.to(tl.float32) * LOG2E
                higher = tl.maximum(top, tl.max(x, 1))
                base = tl.where(higher == float("-inf"), 0.0, higher)
                total = total * tl.exp2(top - base) + tl.sum(tl.exp2(x - base[:, None]), 1)
                top = higher
                if SMOOTH:
                    plain += tl.sum(tl.where(start + tile < width, x, 0.0), 1)
            most = tl.max(top, 0)
            lse = most + tl.log2(tl.sum(total * tl.exp2(top - most), 0))
            loss = lse - (1.0 - smoothing) * tl.load(logits + target).to(tl.float32) * LOG2E
            if SMOOTH:
                loss -= smoothing / width * tl.sum(plain, 0)
            tl.store(loss_ptr + at, loss / LOG2E)
            if GRAD:
                for start in range(0, width, LANES * EACH):
                    inside = start + tile < width
                    x = tl.load(logits + start + tile, inside, other=float("-inf"), eviction_policy="evict_first")
                    slope = tl.exp2(x.to(tl.float32) * LOG2E - lse) - tl.where(start + tile == target, 1.0 - smoothing, 0.0)
                    if SMOOTH:
                        slope -= smoothing / width
                    tl.store(grad_ptr + at * grad_stride + start + tile, (slope * unit).to(grad_ptr.dtype.element_ty), inside)
        else:
            tl.store(loss_ptr + at, 0.0)
            if GRAD:
                for start in range(0, width, LANES * EACH):
                    zero = tl.zeros((LANES, EACH), grad_ptr.dtype.element_ty)
                    tl.store(grad_ptr + at * grad_stride + start + tile, zero, start + tile < width)
