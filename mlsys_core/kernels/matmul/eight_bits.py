"""Products of numbers of eight bits: integers added up exactly, or floats of four exponent bits, and scales afterwards.

Idea      Tensor cores do twice as many products of 8 bits as of 16, and half of the bytes move. A scale a row of the activations (a
          token) and a scale a row of the weights (an output) do not depend on the index of the sum, so they are taken out of it
          and applied once, to the finished sum in registers.
Equation  Y[i, j] = s_x[i] s_w[j] Σ_k X[i, k] W[j, k]; int8: s = max|row| / 127, the sum in int32; e4m3: s = max|row| / 448, in float32
Paper     T. Dettmers et al., "LLM.int8()", NeurIPS 2022, section 2.1 (scales of rows and columns); G. Xiao et al., "SmoothQuant",
          ICML 2023, section 2; P. Micikevicius et al., "FP8 formats for deep learning", arXiv 2209.05433, section 3.
Cost      `tiled_cost` of elements of one byte, and 4 (m + n) bytes of scales for each tile they scale: `scaled_cost`.

An int32 sum of int8 products is exact up to k = 2^31 / 127² = 133,144. The tensor core's own fp8 sum on Hopper keeps fewer bits than
float32; `promote` adds it to a float32 one every so many steps, which costs time (see the page).
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.kernels.launch import INTERPRETED
from mlsys_core.kernels.matmul.persistent import persistent_matmul
from mlsys_core.kernels.matmul.tiles import Cost, Tile, tiled_cost

E4M3_MAX = 448.0
LONGEST = 2**31 // 127**2  # of an exact int32 sum


def quantize_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of x (rows, k) -> int8 of the same shape and float32 scales (rows,), x ≈ q · scale; zeros have scale 1."""
    peak = x.float().abs().amax(1)
    scale = torch.where(peak > 0, peak / 127, 1.0)
    return (x.float() / scale[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def quantize_fp8(x: Tensor, *, by_row: bool = True) -> tuple[Tensor, Tensor]:
    """x (rows, k) -> float8_e4m3fn of the same shape and float32 scales (rows,), or (1,) for the whole tensor."""
    peak = x.float().abs().amax(1) if by_row else x.float().abs().amax().reshape(1)
    scale = torch.where(peak > 0, peak / E4M3_MAX, 1.0)
    return (x.float() / scale[:, None]).to(torch.float8_e4m3fn), scale


@torch.library.custom_op("mlsys::scaled_matmul", mutates_args=())
def _scaled(
    x: Tensor, x_scale: Tensor, w: Tensor, w_scale: Tensor, bias: Tensor | None, out: torch.dtype, promote: int
) -> Tensor:
    scales = (x_scale.expand(x.shape[0]).contiguous(), w_scale.expand(w.shape[0]).contiguous())
    tile = eight_bit_tile(x.shape[0], out.itemsize, promote)
    return persistent_matmul(x, w.T, bias, tile=tile, scales=scales, out=out, promote=promote or None)


@_scaled.register_fake
def _(
    x: Tensor,
    x_scale: Tensor,  # noqa: ARG001 - the schema's, as the others
    w: Tensor,
    w_scale: Tensor,  # noqa: ARG001
    bias: Tensor | None,  # noqa: ARG001
    out: torch.dtype,
    promote: int,  # noqa: ARG001
) -> Tensor:
    return x.new_empty((x.shape[0], w.shape[0]), dtype=out)


def eight_bit_tile(m: int, out_size: int, promote: int = 0) -> Tile:
    """The tile for m rows and results of `out_size` bytes. A promoted sum is held twice, so its tile is half as wide."""
    if INTERPRETED:
        return Tile(32, 32, 32)
    if m <= 64:
        return Tile(64, 128, 128, stages=4)
    # half a tile of float32 results takes the shared memory of a stage
    return Tile(128, 128 if promote else 256, 128, warps=8, stages=4 if out_size < 4 else 3)


def _checked(x: Tensor, x_scale: Tensor, w: Tensor, w_scale: Tensor, bias: Tensor | None, kind: torch.dtype) -> None:
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1] or x.dtype != kind or w.dtype != kind:
        raise ValueError(
            f"{tuple(x.shape)} of {x.dtype} and {tuple(w.shape)} of {w.dtype} do not fit: give (m, k) and (n, k) of {kind}."
        )
    if x.shape[1] % 16 or w.shape[0] % 16:
        raise ValueError(
            f"k = {x.shape[1]} and n = {w.shape[0]} are not both multiples of 16, which the copy engine wants: pad."
        )
    for name, scale, rows in (("x_scale", x_scale, len(x)), ("w_scale", w_scale, len(w))):
        if scale.dtype != torch.float32 or scale.shape not in ((rows,), (1,)):
            raise ValueError(f"{name} is {tuple(scale.shape)} of {scale.dtype}: give ({rows},) or (1,) of float32.")
    if bias is not None and bias.shape != w.shape[:1]:
        raise ValueError(
            f"A bias of shape {tuple(bias.shape)} does not fit {len(w)} outputs: give one number for each."
        )


def int8_matmul(
    x: Tensor, x_scale: Tensor, w: Tensor, w_scale: Tensor, bias: Tensor | None = None, out: torch.dtype = torch.float16
) -> Tensor:
    """x (m, k) int8 with x_scale (m,) by w (n, k) int8 with w_scale (n,) -> (m, n) of `out`; a scale of (1,) is for all rows.

    k and n are multiples of 16; x and w are contiguous. Raises ValueError for other shapes and types, and for k > LONGEST.
    """
    _checked(x, x_scale, w, w_scale, bias, torch.int8)
    if x.shape[1] > LONGEST:
        raise ValueError(f"A sum of {x.shape[1]} products can leave int32: cut it into parts of {LONGEST} or fewer.")
    return torch.ops.mlsys.scaled_matmul(x, x_scale, w, w_scale, bias, out, 0)


def fp8_matmul(
    x: Tensor,
    x_scale: Tensor,
    w: Tensor,
    w_scale: Tensor,
    bias: Tensor | None = None,
    out: torch.dtype = torch.float16,
    *,
    promote: int = 0,
) -> Tensor:
    """x (m, k) float8_e4m3fn by w (n, k) -> (m, n) of `out`, scales as in `int8_matmul`.

    `promote`: steps of the sum after which the tensor core's part goes to float32 (128 at most; 0 for never). Raises ValueError.
    """
    _checked(x, x_scale, w, w_scale, bias, torch.float8_e4m3fn)
    if promote not in (0, 32, 64, 128):
        raise ValueError(f"A sum cannot be promoted each {promote} steps: give 32, 64, 128, or 0 for never.")
    return torch.ops.mlsys.scaled_matmul(x, x_scale, w, w_scale, bias, out, promote)


def scaled_reference(
    x: Tensor, x_scale: Tensor, w: Tensor, w_scale: Tensor, bias: Tensor | None = None, out: torch.dtype = torch.float16
) -> Tensor:
    """The twin in torch: the sum in float64, where the products of eight bits are exact."""
    total = (x.double() @ w.double().T) * x_scale.double()[:, None] * w_scale.double()
    return (total if bias is None else total + bias.double()).to(out)


def scaled_cost(m: int, n: int, k: int, tile: Tile, out_size: int, *, bias_size: int = 0) -> Cost:
    """A scaled product of bytes. The two halves of a tile read the row scales each; the copy engine reads no padding."""
    product = tiled_cost(m, n, k, tile, 1, out_size, bias_size=bias_size)
    down, across = -(-m // tile.rows), -(-n // tile.columns)
    return Cost(product.loaded + 4 * (2 * m * across + n * down), product.stored, product.dot_flops)
