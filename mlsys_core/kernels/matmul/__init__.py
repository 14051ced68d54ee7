"""Matrix products as kernels: of 16 bits, of eight, of four, and of experts."""

from __future__ import annotations

from mlsys_core.kernels.matmul.eight_bits import fp8_matmul, int8_matmul, quantize_fp8, quantize_int8
from mlsys_core.kernels.matmul.int4 import dequantize_int4, pack_int4, quantize_int4, unpack_int4
from mlsys_core.kernels.matmul.int4_operator import int4_matmul
from mlsys_core.kernels.matmul.moe import experts_swiglu, grouped_matmul
from mlsys_core.kernels.matmul.operator import matmul, matmul_reference
from mlsys_core.kernels.matmul.persistent import persistent_matmul
from mlsys_core.kernels.matmul.split_k import split_k_matmul
from mlsys_core.kernels.matmul.tiled import tiled_matmul
from mlsys_core.kernels.matmul.tiles import Tile, tiled_cost

__all__ = [
    "Tile",
    "dequantize_int4",
    "experts_swiglu",
    "fp8_matmul",
    "grouped_matmul",
    "int4_matmul",
    "int8_matmul",
    "matmul",
    "matmul_reference",
    "pack_int4",
    "persistent_matmul",
    "quantize_fp8",
    "quantize_int4",
    "quantize_int8",
    "split_k_matmul",
    "tiled_cost",
    "tiled_matmul",
    "unpack_int4",
]
