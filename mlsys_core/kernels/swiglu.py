from __future__ import annotations
from typing import Any
import triton
import triton.language as tl

@triton.jit
def swiglu_kernel(gate_ptr: tl.tensor, up_ptr: tl.tensor, out_ptr: tl.tensor, width: tl.tensor, gate_stride: tl.tensor, up_stride: tl.tensor, BLOCK: tl.constexpr) -> None:
    row = tl.program_id(1).to(tl.int64)
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = lane < width
    gate = tl.load(gate_ptr + row * gate_stride + lane, live, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + lane, live, other=0.0).to(tl.float32)
    tl.store(out_ptr + row * width + lane, (gate / (1.0 + tl.exp(-gate)) * up).to(out_ptr.dtype.element_ty), live)
