from __future__ import annotations
from typing import Any
import triton
import triton.language as tl

@triton.jit
def swiglu_kernel(gate_ptr: Any, up_ptr: Any, out_ptr: Any, width: Any, gate_stride: Any, up_stride: Any, BLOCK: tl.constexpr) -> None:
    row = tl.program_id(1).to(tl.int64)
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = lane < width
    gate = tl.load(gate_ptr + row * gate_stride + lane, live, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + lane, live, other=0.0).to(tl.float32)
    tl.store(out_ptr + row * width + lane, (gate / (1.0 + tl.exp(-gate)) * up).to(out_ptr.dtype.element_ty), live)
