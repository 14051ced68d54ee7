from __future__ import annotations
from typing import Any
import triton
import triton.language as tl

@triton.jit
def softmax_kernel(x_ptr: tl.tensor, out_ptr: tl.tensor, rows: tl.tensor, width: tl.tensor, x_stride: tl.tensor, BLOCK: tl.constexpr) -> None:
    """A program takes whole rows p, p + P, … into registers: each element comes and goes once."""
    lane = tl.arange(0, BLOCK)
    live = lane < width
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        at = tl.cast(row, tl.int64)
        x = tl.load(x_ptr + at * x_stride + lane, live, other=float("-inf")).to(tl.float32)
        shares = tl.exp(x - tl.max(x))
        tl.store(out_ptr + at * width + lane, (shares / tl.sum(shares)).to(out_ptr.dtype.element_ty), live)
