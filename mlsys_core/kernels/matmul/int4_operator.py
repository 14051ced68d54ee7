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
from mlsys_core.kernels.matmul.int4_kernels import OFFSETS, few_product, gemv_product


@torch.library.custom_op("mlsys::int4_matmul", mutates_args=())
def _int4(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    product = gemv_product if len(x) == 1 else few_product
    return product(x.contiguous(), packed, affine)


@_int4.register_fake
def _(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    return x.new_empty((x.shape[0], packed.shape[0]))


def int4_matmul(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    """x (m, k), float16 or bfloat16 in any strides, by packed (n, k / 2) and affine (k / group, n, 2) of x's type -> (m, n).

    Groups are a power of two, 128 or larger. For inference: there is no gradient. Raises ValueError for other shapes and types.
    """
    if x.ndim != 2 or x.dtype not in OFFSETS or affine.dtype != x.dtype:
        raise ValueError(
            f"x is {tuple(x.shape)} of {x.dtype}, scales are {affine.dtype}: give (m, k) and both float16 or bfloat16."
        )
    if packed.ndim != 2 or packed.dtype != torch.uint8 or 2 * packed.shape[1] != x.shape[1]:
        raise ValueError(
            f"{tuple(packed.shape)} of {packed.dtype} does not fit {x.shape[1]} inputs: give (n, k / 2) of uint8."
        )
    group = x.shape[1] // max(1, affine.shape[0])
    if affine.shape != (x.shape[1] // max(1, group), packed.shape[0], 2) or group < 128 or group & (group - 1):
        raise ValueError(
            f"Scales {tuple(affine.shape)} do not fit {packed.shape[0]} outputs and {x.shape[1]} inputs: give (k / group, n, 2) for "
            "groups of a power of two, 128 or larger."
        )
    if not packed.is_contiguous() or not affine.is_contiguous():
        raise ValueError("Packed weights and scales are read as words: give them contiguous.")
    return torch.ops.mlsys.int4_matmul(x, packed, affine)


def int4_reference(x: Tensor, packed: Tensor, affine: Tensor) -> Tensor:
    """The twin in torch: weights unpacked into float32."""
    return (x.float() @ dequantize_int4(packed, affine).T).to(x.dtype)
