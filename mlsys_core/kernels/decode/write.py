"""New keys and values go into their slots, as they are or in eight bits.

Idea      A step's keys and values come as rows, one a token; `slot_mapping` says where each belongs. In eight bits a vector is divided
          by its own largest magnitude, so one loud token does not blur the others.
Equation  slot = block · size + offset, -1 for a row that is padding;   s = max |x| / top,  x̂ = round(x / s),  |x - s x̂| ≤ s / 2 in int8
Paper     W. Kwon et al., SOSP 2023, section 4.3; Y. Sheng et al., "FlexGen", ICML 2023, section 5.2 (compressed caches).
Cost      The rows once in and once out; quantized D + 4 bytes a vector where 16 bits take 2 D.

float8 keeps 3 bits of fraction, so its error is 2^-4 of the number itself and not of the largest.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def write_rows(
    key: tl.tensor,
    value: tl.tensor,
    key_cache: tl.tensor,
    value_cache: tl.tensor,
    key_scale: tl.tensor,
    value_scale: tl.tensor,
    slot_mapping: tl.tensor,
    n_t: tl.tensor,
    n_h: tl.tensor,
    m_t: tl.tensor,
    m_h: tl.tensor,
    k_slot: tl.tensor,
    k_head: tl.tensor,
    v_slot: tl.tensor,
    v_head: tl.tensor,
    s_slot: tl.tensor,
    s_head: tl.tensor,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    TOP: tl.constexpr,
    SCALED: tl.constexpr,
    ROUND: tl.constexpr,
) -> None:
    """One program: one head of one token. Grid (tokens, heads of keys)."""
    token, head = tl.program_id(0), tl.program_id(1)
    slot = tl.load(slot_mapping + token)
    columns = tl.arange(0, WIDTH)
    if slot >= 0:
        k = tl.load(key + token * n_t + head * n_h + columns, mask=columns < D, other=0.0)
        v = tl.load(value + token * m_t + head * m_h + columns, mask=columns < D, other=0.0)
        if SCALED:
            k, k_step = _shrunk(k.to(tl.float32), TOP, ROUND)
            v, v_step = _shrunk(v.to(tl.float32), TOP, ROUND)
            tl.store(key_scale + slot * s_slot + head * s_head, k_step)
            tl.store(value_scale + slot * s_slot + head * s_head, v_step)
        places = columns + slot * k_slot + head * k_head
        tl.store(key_cache + places, k.to(key_cache.dtype.element_ty), mask=columns < D)
        places = columns + slot * v_slot + head * v_head
        tl.store(value_cache + places, v.to(value_cache.dtype.element_ty), mask=columns < D)


@triton.jit
def _shrunk(
    x: tl.tensor,
    TOP: tl.constexpr,
    ROUND: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """A vector in units of its step, within ±TOP, and the step; whole numbers, halves away from zero, where ROUND; else float8."""
    step = tl.max(tl.abs(x), 0) / TOP
    units = x / tl.where(step == 0.0, 1.0, step)
    if ROUND:
        units = tl.where(units >= 0, tl.floor(units + 0.5), tl.ceil(units - 0.5))
    else:  # to 3 bits of fraction, to even: the interpreter's own conversion cuts off
        bits = units.to(tl.int32, bitcast=True)
        units = ((bits + 0x7FFFF + ((bits >> 20) & 1)) & -0x100000).to(tl.float32, bitcast=True)
    return units, step
