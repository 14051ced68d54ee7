"""RMSNorm, forward and backward, with the residual addition before it in the same pass.

Idea      A block of a transformer adds to the residual stream and normalises the sum. Done apart, the sum goes to memory and comes back;
          here a program holds a row of it in registers, writes it and goes on. The backward recomputes x̂ from the row and one number
          that was kept of it, and adds up the weight's gradient in registers, a partial sum a program, so its order never changes.
Equation  s = x + residual,  r = 1 / sqrt(mean(s²) + ε),  y = s r ⊙ w
          ∂s = r (w ⊙ ∂y - ŝ mean(ŝ ⊙ w ⊙ ∂y)) + ∂s_above,  ŝ = s r,   ∂w = Σ over rows of ∂y ⊙ ŝ
Paper     B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.
Cost      rms_norm_bytes, rms_norm_backward_bytes: each element once in and once out, 4 bytes a row for r, the weight once a program.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import INTERPRETED
from .rows import as_rows, block_of, programs_for, warps_for


@triton.jit
def rms_norm_kernel(  # type: ignore[no-untyped-def]
    x_ptr, residual_ptr, weight_ptr, out_ptr, sum_ptr, scale_ptr, rows, width, x_stride, residual_stride, eps,
    ADD: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """A program normalises rows p, p + P, …; with ADD it adds the residual first and writes the sum."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    weight = tl.load(weight_ptr + lane, live, other=0.0).to(tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        x = tl.load(x_ptr + at * x_stride + lane, live, other=0.0).to(tl.float32)
        if ADD:
            x += tl.load(residual_ptr + at * residual_stride + lane, live, other=0.0).to(tl.float32)
            x = x.to(sum_ptr.dtype.element_ty)  # the sum that later layers see is the rounded one
            tl.store(sum_ptr + at * width + lane, x, live)
            x = x.to(tl.float32)
        scale = 1.0 / tl.sqrt(tl.sum(x * x) / width + eps)
        tl.store(scale_ptr + at, scale)
        tl.store(out_ptr + at * width + lane, (x * scale * weight).to(out_ptr.dtype.element_ty), live)
