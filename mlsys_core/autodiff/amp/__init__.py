"""Mixed precision: sixteen-bit numbers where they suffice, float32 where they do not.

Read `precision` (the numbers), `ops` (products that sum in float32), `scaler` (gradients that would underflow), `master`
(updates that would be lost).
"""

from __future__ import annotations

from mlsys_core.autodiff.amp.master import MasterWeights, training_bytes
from mlsys_core.autodiff.amp.ops import cast, matmul
from mlsys_core.autodiff.amp.precision import (
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    Precision,
    bfloat16_bits,
    from_bfloat16_bits,
)
from mlsys_core.autodiff.amp.scaler import GradScaler

__all__ = [
    "BFLOAT16",
    "FLOAT16",
    "FLOAT32",
    "GradScaler",
    "MasterWeights",
    "Precision",
    "bfloat16_bits",
    "cast",
    "from_bfloat16_bits",
    "matmul",
    "training_bytes",
]
