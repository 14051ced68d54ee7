"""`int4_matmul` for models: activations of 16 bits by packed weights, one operator to torch.compile.

Idea      One token is a product of a matrix and a vector and goes to `gemv_kernel`; up to 64 tokens read the packed weights once and go to
          `few_kernel`. With more the tensor cores are busy anyway, and unpacking costs more than it saves.
Equation  y = x wᵀ, w as int4.py has it
Paper     see int4_kernels.py
Cost      `gemv_cost` and `few_cost`
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlsys_core.kernels.matmul.int4 import dequantize_int4
from mlsys_core.kernels.matmul.int4_products import OFFSETS, few_product, gemv_product


@torch.library.custom_op("mlsys::int4_matmul", mutates_args=())
def _int4(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    product = gemv_product if len(x) == 1 else few_product
    return product(x.contiguous(), packed, affine)


@_int4.register_fake
def _(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:  # noqa: ARG001
    return x.new_empty((x.shape[0], affine.shape[1]))


def int4_matmul(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    """x (m, k), float16 or bfloat16 in any strides, by packed weights and affine (k / group, n, 2) of x's type -> (m, n).

    Groups are a power of two, 128 or larger. For inference: there is no gradient. Raises ValueError for other shapes and types.
    """
    if x.ndim != 2 or x.dtype not in OFFSETS or affine.dtype != x.dtype:
        raise ValueError(
            f"x is {tuple(x.shape)} of {x.dtype}, scales are {affine.dtype}: give (m, k), and both float16 or bfloat16."
        )
    if packed.ndim != 4 or packed.dtype != torch.uint8 or 2 * packed.shape[1] * packed.shape[3] != x.shape[1]:
        raise ValueError(
            f"{tuple(packed.shape)} of {packed.dtype} does not fit {x.shape[1]} inputs: give what pack_int4 makes of (n, k)."
        )
    groups, half, n = packed.shape[1], packed.shape[3], affine.shape[1]
    if affine.shape != (groups, n, 2) or not 0 <= 8 * packed.shape[0] - n < 8:
        raise ValueError(
            f"Scales {tuple(affine.shape)} do not fit weights {tuple(packed.shape)}: give (k / group, n, 2)."
        )
    if half < 64 or half & (half - 1):
        raise ValueError(f"The kernels cannot read groups of {2 * half}: give a power of two, 128 or larger.")
    if not packed.is_contiguous() or not affine.is_contiguous():
        raise ValueError("Packed weights and scales are read as words: give them contiguous.")
    return torch.ops.mlsys.int4_matmul(x, packed, affine)


def int4_reference(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    """The twin in torch: weights unpacked into float32."""
    return (x.float() @ dequantize_int4(packed, affine).T).to(x.dtype)
